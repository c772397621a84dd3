r"""The Spark engine: turns staged lines into classified rows, listens in the lake, and metrics of the touched days.

Pure functions from DataFrame to DataFrame: :mod:`rows`, :mod:`reference`, :mod:`listens`, :mod:`metrics`.
Adapters, the only modules that read or write: :mod:`inputs`, :mod:`reference_data`, :mod:`lake`.

The pure functions use only what all Spark Connect engines do alike: ANSI mode off and UTC set, ``[0-9]`` and ``\z`` in
patterns, casts guarded by a pattern, averages in integers, a total order in every window.
"""
