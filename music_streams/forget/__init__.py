"""Erasure of users from the files under `archive/` and `quarantine/`."""
