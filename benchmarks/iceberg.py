"""S3 and Glue on a server in this process, and a Spark session with the lake of the transform job."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from local.aws import Aws
from local.moto_patches import jobs, objects
from local.spark import environment_of_run, installed_spark, settings_of_run
from local.spark_jars import ensure_jars
from local.web import plain_moto
from music_streams.transform.ports import DATABASE

BUCKET, REGION = "lake", "us-east-1"
_CATALOG = "spark.sql.catalog.lake"
_SETTINGS = {
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    _CATALOG: "org.apache.iceberg.spark.SparkCatalog",
    f"{_CATALOG}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
    f"{_CATALOG}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    f"{_CATALOG}.warehouse": f"s3://{BUCKET}/warehouse",
}


@contextmanager
def cloud() -> Iterator[Aws]:
    """Serve S3 with an empty bucket, and Glue with a database without tables."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    jobs.check_table_versions()
    objects.lock_objects()
    with plain_moto() as (endpoint, credentials):
        aws = Aws(endpoint, REGION, credentials)
        aws.client("s3").create_bucket(Bucket=BUCKET)
        aws.client("glue").create_database(DatabaseInput={"Name": DATABASE})
        yield aws


@contextmanager
def session(aws: Aws, settings: dict[str, str]) -> Iterator[SparkSession]:
    """Start the process's session with additional settings; the process keeps the environment of a job run."""
    ensure_jars(print)
    installed = installed_spark()
    with tempfile.TemporaryDirectory() as scratch:
        place = (aws.endpoint, REGION, aws.credentials, Path(scratch))
        os.environ.update(
            environment_of_run(installed, settings_of_run(installed, _SETTINGS | settings, *place), *place)
        )
        spark = SparkSession.builder.getOrCreate()
        spark.sparkContext.setLogLevel("OFF")
        yield spark
        spark.stop()


def listens(spark: SparkSession, count: int, day: str, source: str, execution: str, tasks: int = 1) -> DataFrame:
    """Return rows of `listens` on a day: one for each of `count` users, whose ids begin at 1000."""
    return spark.range(0, count, 1, tasks).selectExpr(
        "1000 + id AS user_id",
        f"'{'T' * 22}' AS track_id",
        f"TIMESTAMP '{day} 10:00:00' AS listened_at",
        *("200000L AS duration_ms", "'n' AS track_name", "'a' AS artists", "array('pop', 'rock') AS genres"),
        *("'DE' AS user_country", f"'{source}' AS source_id", f"'{execution}' AS execution", "1L AS reference_version"),
    )
