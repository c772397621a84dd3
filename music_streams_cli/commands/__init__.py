"""The commands, one module each, which register themselves with `registry.command` or `registry.group`."""
