"""The validation of files: a verdict from one pass over a file's bytes."""
