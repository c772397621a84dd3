"""The steps of the state machine around its two jobs, and their shared parts."""
