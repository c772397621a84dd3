"""Data that operators see: files, executions, next steps, pipeline health."""
