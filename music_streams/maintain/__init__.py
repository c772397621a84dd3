"""The lake's upkeep: what is too old leaves, small files become large ones (docs/maintenance.md)."""
