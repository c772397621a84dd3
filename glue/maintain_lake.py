"""Entry point of the Glue Spark job maintain-lake; the job is in music_streams.maintain."""

from argparse import ArgumentParser
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from music_streams.aws import clients, logs
from music_streams.maintain.job import run
from music_streams.transform.spark.lake import IcebergLake

parser = ArgumentParser(allow_abbrev=False)
parser.add_argument("--lake_bucket", required=True, help="bucket of the report")
parser.add_argument("--rejected_rows_days", required=True, type=int, help="days to keep rejected rows; 0: forever")
parser.add_argument("--JOB_RUN_ID", required=True, help="passed by Glue")
arguments, _glue_arguments = parser.parse_known_args()

logs.write_job_lines("maintain-lake", run=arguments.JOB_RUN_ID)
spark = SparkSession.builder.appName("maintain-lake").config("spark.sql.session.timeZone", "UTC").getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
s3 = clients.client("s3")
lake = IcebergLake(spark, clients.client("glue"), s3)
run(lake, s3, arguments.lake_bucket, arguments.JOB_RUN_ID, arguments.rejected_rows_days, datetime.now(UTC))
spark.stop()
