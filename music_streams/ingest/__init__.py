"""validate: from a message in the arrivals queue to a running execution."""
