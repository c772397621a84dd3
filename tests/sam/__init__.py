"""The functions as the SAM CLI builds and runs them, in containers if an engine can be started."""
