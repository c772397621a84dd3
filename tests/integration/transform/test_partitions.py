"""The result of a computation does not depend on its parallelism."""

from datetime import date

import pytest
from pyspark.sql import functions as F

from music_streams.reference.parsed import write_rows
from music_streams.state.object_keys import Kind
from music_streams.state.run_files import Manifest, ManifestSource
from music_streams.transform.spark import inputs, listens, reference, row_reasons
from music_streams.transform.spark.partitions import gathered, spread
from music_streams_cli import sample_data
from tests.integration.transform import computed

MIB = 1024 * 1024
TINY, SMALL, LARGE = MIB, 20 * MIB, 200 * MIB
CATALOGUE = sample_data.Catalogue.generate(71, songs=40, users=60)
HEADER, ARRIVAL = list(sample_data.STREAM_COLUMNS), "2024-06-27T00:00:00.000Z"
SOURCES = [ManifestSource(f"{n:032x}", "streams", f"{n:032x}.csv", HEADER, ARRIVAL, 0) for n in range(3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Staged files with bad rows, two of them identical, and reference data."""
    place = tmp_path_factory.mktemp("spread")
    (place / "input").mkdir()
    for seed, source in zip((1, 1, 2), SOURCES, strict=True):
        content = sample_data.streams(seed, CATALOGUE, date(2024, 6, 25), 1_500, dirty=0.1)
        (place / "input" / source.input).write_bytes(content)
    for kind, content in ((Kind.SONGS, CATALOGUE.songs), (Kind.USERS, CATALOGUE.users)):
        with (place / f"{kind}.parquet").open("wb") as file:
            write_rows([content], kind, file)

    class Folder:
        def uri(self, name: str) -> str:
            return str(place / name)

    return Folder()


def outcome(spark, folder, size):
    """Return the counts of the files, and the metrics of their accepted rows, in a fixed order."""
    manifest = Manifest("b", SOURCES)
    read = {
        kind: spark.read.schema(schema).parquet(folder.uri(f"{kind}.parquet"))
        for kind, schema in ((Kind.SONGS, reference.SONG_ROWS), (Kind.USERS, reference.USER_ROWS))
    }
    with spread(spark, size):
        songs = gathered(reference.songs(read[Kind.SONGS]), size)
        users = gathered(reference.users(read[Kind.USERS]), size)
        lines = gathered(inputs.lines(spark, folder, manifest), size)
        classified = row_reasons.classify(lines, gathered(inputs.sources(spark, manifest), size))
        batch = listens.enrich(classified, songs, users).transform(listens.drop_unused_columns).persist()
        counts = sorted(map(str, listens.counts(batch).collect()))
        accepted = listens.accepted(batch, [source.source_id for source in SOURCES], "b-1", 1)
        items = computed.items(accepted, track_metrics=True).orderBy("pk", "sk").collect()
        batch.unpersist()
    return counts, items


def test_one_task_and_many_have_the_same_result(spark, folder):
    tiny, small, large = (outcome(spark, folder, size) for size in (TINY, SMALL, LARGE))
    assert len(tiny[1]) > 50
    assert small == tiny
    assert large == tiny


@pytest.mark.parametrize(("size", "tasks"), [(TINY, 1), (SMALL, 1), (LARGE, 12)])
def test_a_small_input_is_one_task_and_a_large_one_as_many_as_its_size_requires(spark, size, tasks):
    with spread(spark, size):
        keyed = gathered(spark.range(100, numPartitions=4), size).groupBy((F.col("id") % 10).alias("key")).count()
        assert keyed.persist().rdd.getNumPartitions() == tasks
        keyed.unpersist()


def test_the_settings_of_the_session_are_restored_also_after_an_error(spark):
    names = ("spark.sql.shuffle.partitions", "spark.sql.adaptive.enabled", "spark.sql.codegen.wholeStage")

    def fail() -> None:
        with spread(spark, TINY):
            assert [spark.conf.get(name) for name in names] == ["1", "false", "false"]
            raise ZeroDivisionError

    before = [spark.conf.get(name) for name in names]
    with pytest.raises(ZeroDivisionError):
        fail()
    assert [spark.conf.get(name) for name in names] == before == ["2", "true", "true"]
