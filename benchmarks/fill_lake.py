"""A Spark job that fills the lake with listens of many days: `fill_lake.py --first DAY --days N --rows N_A_DAY`."""

from argparse import ArgumentParser

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from benchmarks.cloud import CATALOGUE
from music_streams.aws import clients
from music_streams.transform.ports import LISTENS
from music_streams.transform.spark.lake import IcebergLake

parser = ArgumentParser()
parser.add_argument("--first", required=True)
parser.add_argument("--days", required=True, type=int)
parser.add_argument("--rows", required=True, type=int)
arguments = parser.parse_args()

spark = SparkSession.builder.getOrCreate()
number, tracks = F.col("id"), CATALOGUE.track_ids
day = F.date_add(F.lit(arguments.first).cast("date"), (number / arguments.rows).cast("int"))
listens = spark.range(arguments.days * arguments.rows).select(
    (F.pmod(F.xxhash64("id", F.lit(1)), F.lit(5_000)) + 1).alias("user_id"),
    F.get(F.array(*map(F.lit, tracks[:500])), F.pmod(F.xxhash64("id", F.lit(2)), F.lit(500)).cast("int")).alias(
        "track_id"
    ),
    F.timestamp_micros(
        F.unix_micros(day.cast("timestamp")) + F.pmod(F.xxhash64("id", F.lit(3)), F.lit(86_400_000_000))
    ).alias("listened_at"),
    F.lit(200_000).cast("bigint").alias("duration_ms"),
    F.lit("Some song").alias("track_name"),
    F.lit("Somebody").alias("artists"),
    F.array(F.lit("pop"), F.concat(F.lit("genre "), F.pmod("id", F.lit(100)))).alias("genres"),
    F.concat(F.lit("country "), F.pmod("id", F.lit(60))).alias("user_country"),
    F.lit("f" * 32).alias("source_id"),
    F.lit("history-1").alias("execution"),
    F.lit(1).cast("bigint").alias("reference_version"),
)
IcebergLake(spark, clients.client("glue"), clients.client("s3")).append(LISTENS, listens, "history-1")
spark.stop()
