"""A module a command; each adds it with `registry.command` or `registry.group`."""
