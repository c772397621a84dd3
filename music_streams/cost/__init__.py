"""Cost of the pipeline: the units that AWS bills, and one table of their prices.

Nothing here calls AWS. Which values are counted, measured or assumed: docs/cost.md.
"""
