"""Three of the metrics by a typical plain Spark script, for comparison: `plain_spark.py FOLDER`.

It reads all files, infers the types, shuffles into 200 partitions and computes each metric by its own action; it
validates no row and removes no duplicate. FOLDER has streams.csv, songs.csv and users.csv.
"""

import sys
from pathlib import Path

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F


def main(folder: Path) -> None:
    """Write three tables beside the input."""
    spark = SparkSession.builder.master("local[*]").config("spark.driver.memory", "4g").getOrCreate()
    streams, songs, users = (
        spark.read.csv(f"{folder}/{name}.csv", header=True, inferSchema=True) for name in ("streams", "songs", "users")
    )
    listens = streams.join(songs, "track_id").join(users, "user_id", "left").withColumn("day", F.to_date("listen_time"))
    totals = listens.groupBy("track_genre", "day").agg(
        F.count("*").alias("listen_count"),
        F.countDistinct("user_id").alias("unique_listeners"),
        F.sum("duration_ms").alias("total"),
    )
    totals.write.mode("overwrite").parquet(f"{folder}/out/totals")
    by_song = listens.groupBy("track_genre", "day", "track_id").agg(F.count("*").alias("plays"))
    by_rank = F.row_number().over(Window.partitionBy("track_genre", "day").orderBy(F.desc("plays")))
    by_song.withColumn("rank", by_rank).where("rank <= 3").write.mode("overwrite").parquet(f"{folder}/out/songs")
    of_day = Window.partitionBy("day").orderBy(F.desc("listen_count"))
    genres = totals.withColumn("rank", F.row_number().over(of_day)).where("rank <= 5")
    genres.write.mode("overwrite").parquet(f"{folder}/out/genres")
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
