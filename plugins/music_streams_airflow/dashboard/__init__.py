"""The dashboard: how the pipeline is, which files are where and why, and what to do about it."""
