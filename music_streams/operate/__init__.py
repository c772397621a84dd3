"""What operators see: files, executions, next steps, the health of the pipeline."""
