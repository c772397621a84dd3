"""How large a run is, from what it is to read."""

import pytest

from music_streams.runs import Manifest, ManifestSource
from music_streams.sizing import Bounds, Size, input_bytes, size_of
from music_streams.sources import Treatment

MIB, GIB = 1024**2, 1024**3
BOUNDS = Bounds(least=2, most=10)


def source(size, *, name="a.csv", kind="streams", treatment=""):
    return ManifestSource("0" * 32, kind, name, [], "", size, treatment)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], Size(2, 4)),
        ([1_000], Size(2, 4)),
        ([64 * MIB], Size(2, 4)),
        ([65 * MIB], Size(2, 5)),  # another partition of 16 MiB
        ([256 * MIB], Size(3, 16)),
        ([64 * MIB] * 4, Size(3, 16)),
        ([GIB], Size(5, 64)),
        ([4 * GIB], Size(9, 256)),
        ([100 * GIB], Size(10, 6_400)),  # the most
    ],
)
def test_workers_and_partitions_grow_with_the_bytes(sizes, expected):
    assert size_of(Manifest("batch", [source(size) for size in sizes]), BOUNDS) == expected


def test_more_bytes_never_make_a_smaller_run():
    found = [size_of(Manifest("batch", [source(2**power)]), BOUNDS) for power in range(45)]
    assert [size.workers for size in found] == sorted(size.workers for size in found)
    assert [size.shuffle_partitions for size in found] == sorted(size.shuffle_partitions for size in found)


@pytest.mark.parametrize("given", [{"days": ["2024-06-25"]}, {"forget": [7]}])
def test_what_works_on_history_may_have_all_workers(given):
    assert size_of(Manifest("batch", [], **given), BOUNDS).workers == 10


def test_every_core_of_the_workers_has_a_partition():
    assert size_of(Manifest("batch", [], days=["2024-06-25"]), BOUNDS).shuffle_partitions >= 9 * 4


def test_large_days_ask_for_more_at_least():
    assert size_of(Manifest("batch", [source(1)]), Bounds(least=5, most=10)) == Size(5, 16)


def test_the_most_goes_before_the_least():
    assert size_of(Manifest("batch", [source(1)]), Bounds(least=5, most=3)).workers == 3


def test_gzip_is_larger_than_it_looks():
    assert input_bytes(Manifest("batch", [source(100, name="a.csv.gz")])) == 300


def test_only_what_spark_reads_counts():
    unread = [source(GIB, kind="songs"), source(GIB, treatment=Treatment.RETRACT)]
    assert input_bytes(Manifest("batch", [*unread, source(5)])) == 5
