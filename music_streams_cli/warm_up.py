"""Run the Spark code of the pipeline once on an empty cloud, so that the local cloud can archive the loaded classes.

The local cloud runs it by its path, in the environment of a Glue job (see LOCAL_CLOUD_WARM_UP in local/spark.py).
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from pyspark.sql import SparkSession

from music_streams import clock
from music_streams.aws import clients
from music_streams.state.ledger import Entry
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, write_claimed
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams.transform.job import RunSettings
from music_streams.transform.ports import DATABASE
from music_streams.transform.spark.job import run
from music_streams_cli import sample_data

_CATALOG = "spark.sql.catalog.warm"  # the catalog that the local cloud configures for a warm-up
_LANDING, _LAKE = "warm-up-landing", "warm-up"
_SOURCE = ManifestSource("0" * 32, "streams", f"{'0' * 32}.csv", list(sample_data.STREAM_COLUMNS), clock.now(), 0)


def main() -> None:
    """Transform a file with bad rows, then transform it again as a second attempt."""
    s3, glue = clients.client("s3"), clients.client("glue")
    for bucket in (_LANDING, _LAKE):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=_LANDING, VersioningConfiguration={"Status": "Enabled"})
    glue.create_database(DatabaseInput={"Name": DATABASE, "LocationUri": f"s3://{_LAKE}/warehouse"})
    catalogue = sample_data.Catalogue.generate(1)
    s3.put_object(Bucket=_LANDING, Key="reference/songs/songs.csv", Body=catalogue.songs)
    s3.put_object(Bucket=_LANDING, Key="reference/users/users.csv", Body=catalogue.users)
    folder = RunFolder(_LAKE, "b")
    content = sample_data.streams(1, catalogue, date(2024, 6, 25), 500, dirty=0.1)
    s3.put_object(Bucket=_LAKE, Key=folder.key(f"input/{_SOURCE.input}"), Body=content)
    spark = SparkSession.builder.getOrCreate()
    for name, value in spark.sparkContext.getConf().getAll():
        if name.startswith(_CATALOG):
            spark.conf.set(name.replace(_CATALOG, "spark.sql.catalog.lake"), value)
    for execution in ("b-1", "b-2"):
        write_claimed(s3, folder, execution, Manifest(folder.batch_id, [_SOURCE]))
        attempt = RunSettings(folder, execution, execution, _LANDING, Decimal(1), 1, publish_track_metrics=False)
        run(spark, s3, glue, _entries, attempt)
    spark.stop()


def _entries(source_ids: Iterable[str]) -> dict[str, Entry]:
    """Return an entry that accepts a reference file, for every source_id: there is no ledger."""
    source = Source(_LANDING, "reference/songs/songs.csv", "", 0, _SOURCE.received_at)
    accepted = Entry(source, Status.VALID, _SOURCE.received_at, 1, validated_at=_SOURCE.received_at)
    return dict.fromkeys(source_ids, accepted)


if __name__ == "__main__":
    main()
