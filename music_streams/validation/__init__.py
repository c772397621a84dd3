"""Whether a file can be processed at all: a verdict from one pass over its bytes."""
