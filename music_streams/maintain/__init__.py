"""Lake maintenance: deletes old rejected rows, merges small files, expires old snapshots (docs/maintenance.md)."""
