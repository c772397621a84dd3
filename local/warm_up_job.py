"""A small Spark job that uses what jobs use: CSV, aggregation, S3A, an Iceberg table in the Glue catalog."""

import boto3
from pyspark.sql import SparkSession
from pyspark.sql import functions as f


def main() -> None:
    """Run the job and stop Spark."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="warm-up")
    s3.put_object(Bucket="warm-up", Key="in/a.csv", Body=b'name,count\na,1\nb,2\n"c",3\n')
    boto3.client("glue").create_database(DatabaseInput={"Name": "warm", "LocationUri": "s3://warm-up/warehouse"})

    spark = SparkSession.builder.getOrCreate()
    read = spark.read.csv("s3a://warm-up/in/", header=True, quote='"', escape='"')
    rows = read.withColumn("count", f.col("count").cast("int")).withColumn("day", f.current_date())
    spark.sql("CREATE TABLE warm.warm.t (name string, count int, day date) USING iceberg PARTITIONED BY (day)")
    rows.writeTo("warm.warm.t").append()
    rows.writeTo("warm.warm.t").append()
    spark.sql("DELETE FROM warm.warm.t WHERE name = 'a'")
    totals = spark.table("warm.warm.t").groupBy("name").agg(f.sum("count").alias("total")).orderBy("name")
    joined = totals.join(rows.select("name", "day"), "name")
    joined.write.mode("overwrite").parquet("s3a://warm-up/out/")
    joined.toJSON().collect()
    spark.sql("SELECT * FROM warm.warm.t.snapshots").collect()
    spark.stop()


if __name__ == "__main__":
    main()
