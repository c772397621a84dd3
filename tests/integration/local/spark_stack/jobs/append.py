"""Create an Iceberg table, append rows to it, or read it."""

import json
import sys

import boto3
from pyspark.sql import SparkSession

arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
step = arguments["--step"]
spark = SparkSession.builder.getOrCreate()
if step == "create":
    spark.sql("CREATE TABLE glue_catalog.lake.events (name string, step string) USING iceberg")
elif step == "read":
    rows = [row.asDict() for row in spark.table("glue_catalog.lake.events").orderBy("step").collect()]
    text = spark.read.text(f"s3://{arguments['--bucket']}/results/").count()  # s3:// is S3A, as on Glue
    summary = {"rows": rows, "files": text}
    boto3.client("s3").put_object(Bucket=arguments["--bucket"], Key="results/table.json", Body=json.dumps(summary))
elif step == "fail":
    spark.sql("SELECT * FROM glue_catalog.lake.nothing")
else:
    spark.createDataFrame([(arguments["--JOB_RUN_ID"], step)], "name string, step string").writeTo(
        "glue_catalog.lake.events"
    ).append()
boto3.client("s3").put_object(Bucket=arguments["--bucket"], Key=f"results/{step}.json", Body=json.dumps(step))
