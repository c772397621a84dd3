"""The stored state of the pipeline: sources, the ledger, the files of a run, requests; and rules based on them."""
