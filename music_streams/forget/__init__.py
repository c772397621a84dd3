"""Erasure of users from the kept files."""
