"""The static gate over template and state machine; see docs/testing.md."""
