"""The reconciler: whether every file and every day's metrics are what they should be, told from outside the data path.

:mod:`lake` reads the listens of days from the lake without Spark, :mod:`recount` counts their metrics anew in SQL of
its own, :mod:`drift` holds what stands in MetricsTable against that count.
"""
