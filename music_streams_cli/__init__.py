"""The command line of the pipeline, for the local cloud and for AWS."""
