"""What the pipeline remembers: sources, the ledger, the files of a run, requests; and rules that follow from them."""
