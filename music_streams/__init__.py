"""The domain of music-streams: from an object version in S3 to metrics in DynamoDB.

The packages, in the order in which they process a file:

* :mod:`~music_streams.ingest`, :mod:`~music_streams.validation` -- messages become manifests and executions;
* :mod:`~music_streams.run` -- the steps of the state machine around the two jobs;
* :mod:`~music_streams.transform`, :mod:`~music_streams.load` -- the two jobs;
* :mod:`~music_streams.maintain`, :mod:`~music_streams.forget` -- maintenance of the lake; erasure of users;
* :mod:`~music_streams.reconcile`, :mod:`~music_streams.operate` -- what checks, repairs and shows all of it.

They share :mod:`~music_streams.state` (the ledger, a run's folder) and call AWS through :mod:`~music_streams.aws`.
:mod:`~music_streams.cost` computes what a run costs; :mod:`~music_streams.policy` has timeouts, limits and intervals.
Consumers import :mod:`~music_streams.reader` and :mod:`~music_streams.schemas`. Which package may import which:
pyproject.toml, importlinter.
"""
