"""The gate: static checks of the template and the state machine; see docs/testing.md."""
