"""Compares the product with a second implementation of the data contract on thousands of files (docs/testing.md)."""
