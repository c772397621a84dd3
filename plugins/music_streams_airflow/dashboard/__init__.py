"""The dashboard: pipeline health, the status of files with its reasons, and what to do."""
