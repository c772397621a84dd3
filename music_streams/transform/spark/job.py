"""Runs the transform on Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from music_streams.reference.of_run import ReferenceOfRun
from music_streams.state.run_files import read_claimed
from music_streams.transform.job import process
from music_streams.transform.masked_errors import masked_user_ids
from music_streams.transform.spark.batch import SparkBatch
from music_streams.transform.spark.lake import IcebergLake
from music_streams.transform.spark.reference_data import MergedReference

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from types_boto3_glue import GlueClient
    from types_boto3_s3 import S3Client

    from music_streams.reference.in_force import Entries
    from music_streams.state.run_files import Summary
    from music_streams.transform.job import RunSettings


def run(spark: SparkSession, s3: S3Client, glue: GlueClient, entries: Entries, settings: RunSettings) -> Summary:
    """Process a manifest on Spark; idempotent for an execution. `entries` reads the ledger."""
    manifest = read_claimed(s3, settings.folder, settings.execution)
    merged = MergedReference(spark, settings.folder.bucket)
    reference = ReferenceOfRun(
        s3,
        settings.landing_bucket,
        entries,
        settings.max_rejected_ratio,
        settings.folder,
        settings.execution,
        settings.job_run_id,
    ).read(manifest, merged.write)
    batch = None
    if manifest.streams and reference.pinned:
        songs_and_users = merged.read(reference.pinned)
        batch = SparkBatch(spark, s3, settings.folder, manifest, songs_and_users, settings.execution)
    with masked_user_ids(manifest.forget):
        return process(s3, settings, manifest, reference, batch, IcebergLake(spark, glue, s3))
