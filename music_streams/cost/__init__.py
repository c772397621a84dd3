"""What the pipeline costs: units that AWS bills, counted; money, by one table of prices.

Nothing here calls AWS. What is counted, what is measured and what is assumed: docs/cost.md.
"""
