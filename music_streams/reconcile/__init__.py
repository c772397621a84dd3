"""The reconciler, outside the data path: it checks that every file was processed and that each day's metrics are right.

:mod:`lake` reads the lake without Spark, :mod:`recount` computes the metrics of days in SQL of its own, :mod:`drift`
compares the items of MetricsTable with the result, :mod:`parked` finds files that newer songs files complete.
"""
