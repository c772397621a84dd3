"""Computes the metrics of listens as a run does."""

from pyspark.sql import DataFrame

from music_streams.transform.spark import metrics


def items(listens: DataFrame, *, track_metrics: bool) -> DataFrame:
    """Return the rows of :func:`metrics.items`."""
    return metrics.items(metrics.events(listens), metrics.names(listens), track_metrics=track_metrics)
