"""Entry point of the Glue Spark job transform-streams; the job is in music_streams.transform."""

from argparse import ArgumentParser
from decimal import Decimal

from pyspark.sql import SparkSession

from music_streams.aws import clients, logs
from music_streams.state.ledger import Ledger
from music_streams.state.run_files import RunFolder
from music_streams.transform.job import RunSettings
from music_streams.transform.spark.job import run

parser = ArgumentParser(allow_abbrev=False)
parser.add_argument("--manifest", required=True, help="URI of the batch's manifest")
parser.add_argument("--execution", required=True, help="name of the state machine's execution")
parser.add_argument("--landing_bucket", required=True, help="bucket of reference/")
parser.add_argument("--files_table", required=True, help="the ledger, with the accepted reference files")
parser.add_argument("--max_rejected_ratio", required=True, type=Decimal)
parser.add_argument("--max_days_per_file", required=True, type=int)
parser.add_argument("--publish_track_metrics", required=True, choices=["true", "false"])
parser.add_argument("--JOB_RUN_ID", required=True, help="passed by Glue")
arguments, _glue_arguments = parser.parse_known_args()

logs.write_job_lines("transform-streams", **logs.of_execution(arguments.execution))
spark = (
    SparkSession.builder.appName("transform-streams")
    .config("spark.sql.ansi.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    # Spark formats the plan of each query for its listeners: the full plan takes longer than a small query.
    .config("spark.sql.ui.explainMode", "simple")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")  # Spark warns if a header differs from the schema, as all do
run(
    spark,
    clients.client("s3"),
    clients.client("glue"),
    Ledger(arguments.files_table).entries,
    RunSettings(
        folder=RunFolder.of_manifest(arguments.manifest),
        execution=arguments.execution,
        job_run_id=arguments.JOB_RUN_ID,
        landing_bucket=arguments.landing_bucket,
        max_rejected_ratio=arguments.max_rejected_ratio,
        max_days_per_file=arguments.max_days_per_file,
        publish_track_metrics=arguments.publish_track_metrics == "true",
    ),
)
spark.stop()
