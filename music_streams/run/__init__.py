"""The steps of the state machine around the two jobs, and what they share."""
