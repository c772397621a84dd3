"""A module a command; each has `register(app, panel)`."""
