"""Event files for the functions: made here, kept under events/, each given to the real handler by the tests."""
