"""The command line: what operators and newcomers do with the pipeline, on the local cloud and on AWS alike."""
