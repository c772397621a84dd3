"""The functions as the SAM CLI builds and runs them: for real, in containers, where an engine can be started."""
