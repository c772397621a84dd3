"""The number of workers of a run follows from the bytes that it reads."""

import pytest

from music_streams.state.run_files import Manifest, ManifestSource
from music_streams.state.sizing import Bounds, input_bytes, workers_for
from music_streams.state.sources import Treatment

MIB, GIB = 1024**2, 1024**3
BOUNDS = Bounds(least=2, most=10)


def source(size, *, name="a.csv", kind="streams", treatment=""):
    return ManifestSource("0" * 32, kind, name, [], "", size, treatment)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([], 2), ([64 * MIB], 2), ([256 * MIB], 3), ([64 * MIB] * 4, 3), ([GIB], 5), ([4 * GIB], 9), ([100 * GIB], 10)],
)
def test_more_bytes_get_more_workers(sizes, expected):
    assert workers_for(Manifest("batch", [source(size) for size in sizes]), BOUNDS) == expected


def test_more_bytes_never_make_a_smaller_run():
    workers = [workers_for(Manifest("batch", [source(2**power)]), BOUNDS) for power in range(45)]
    assert workers == sorted(workers)


@pytest.mark.parametrize("history", [{"days": ["2024-06-25"]}, {"forget": [7]}])
def test_a_run_that_reads_the_lake_may_have_all_workers(history):
    assert workers_for(Manifest("batch", [], **history), BOUNDS) == 10


@pytest.mark.parametrize(("most", "expected"), [(10, 5), (3, 3)])
def test_a_small_run_has_the_fewest_workers_within_the_maximum(most, expected):
    assert workers_for(Manifest("batch", [source(1)]), Bounds(least=5, most=most)) == expected


def test_gzip_counts_as_its_estimated_uncompressed_size():
    assert input_bytes(Manifest("batch", [source(100, name="a.csv.gz")])) == 300


def test_only_files_that_spark_reads_count():
    unread = [source(GIB, kind="songs"), source(GIB, treatment=Treatment.RETRACT)]
    assert input_bytes(Manifest("batch", [*unread, source(5)])) == 5
