"""The domain of music-streams: from an object version in S3 to metrics in DynamoDB.

Read along the flow of the data:

* :mod:`~music_streams.arrivals`, :mod:`~music_streams.verdicts`, :mod:`~music_streams.intake` -- what validate does;
* :mod:`~music_streams.claim`, :mod:`~music_streams.settle`, :mod:`~music_streams.archive`,
  :mod:`~music_streams.failure` -- the steps of the state machine around the two jobs;
* :mod:`~music_streams.transform` -- the Spark job; :mod:`~music_streams.load` -- the Python Shell job.
* :mod:`~music_streams.reader` -- what consumers import; :mod:`~music_streams.schemas` -- the shape of items and events.

They meet in the ledger (:mod:`~music_streams.ledger`) and in a run's folder (:mod:`~music_streams.runs`).
"""
