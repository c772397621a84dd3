"""The product against a second reading of the data contract, over thousands of dirty files (docs/testing.md)."""
