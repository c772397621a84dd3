"""Runs the transform on Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from music_streams.state.run_files import read_claimed
from music_streams.state.sources import Treatment
from music_streams.transform.job import process
from music_streams.transform.masked_errors import masked_user_ids
from music_streams.transform.spark.batch import SparkBatch
from music_streams.transform.spark.lake import IcebergLake
from music_streams.transform.spark.reference_data import ReferenceData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyspark.sql import SparkSession
    from types_boto3_glue import GlueClient
    from types_boto3_s3 import S3Client

    from music_streams.state.run_files import Summary
    from music_streams.transform.job import RunSettings


def run(
    spark: SparkSession,
    s3: S3Client,
    glue: GlueClient,
    accepted: Callable[[Iterable[str]], set[str]],
    settings: RunSettings,
) -> Summary:
    """Process a manifest on Spark; idempotent for an execution.

    `accepted` returns those of some source_ids that validation has accepted: no other reference file is read.
    """
    manifest = read_claimed(s3, settings.folder, settings.execution)
    batch = None
    # A batch of reference files alone parses them now, ready for the next streams files. A run that only takes a
    # reference file out of use reads none, so it succeeds even if the file cannot be parsed.
    is_new = any(source.kind != "streams" and Treatment(source.treatment).adds_rows for source in manifest.sources)
    if manifest.streams or is_new:
        reference = ReferenceData(
            spark, s3, settings.landing_bucket, accepted, settings.folder, settings.execution, settings.job_run_id
        ).read()
        if manifest.streams:
            batch = SparkBatch(spark, s3, settings.folder, manifest, reference, settings.execution)
    with masked_user_ids(manifest.forget):
        return process(s3, settings, manifest, batch, IcebergLake(spark, glue, s3))
