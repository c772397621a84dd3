"""Erasure of users from the files that are kept."""
