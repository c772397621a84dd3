"""Identity of sources and batches, and the keys under which a source is kept (docs/design.md, sections 3 and 5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_streams.state.object_keys import safe_name
from music_streams.state.sources import Source, batch_id_of, execution_name

# Each by `printf 'landing\nincoming/a.csv\nv1' | sha256sum | cut -c-32`.
SOURCE_IDS = [
    ("landing", "incoming/a.csv", "v1", "e0545835a6491f6a9fbc5b0f561d67c8"),
    ("landing", "incoming/a.csv", "v2", "8c1ae07577cde6c083a8196cb59de110"),
    ("landing", "incoming/é 𝄞+%20.csv", "null", "2aa32ee7729effefba66badab1406f59"),
]
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400)


def source(key: str) -> Source:
    return Source("landing", key, "v1", 10, "2026-11-21T21:03:25.123Z")


@pytest.mark.parametrize(("bucket", "key", "version_id", "source_id"), SOURCE_IDS)
@pytest.mark.parametrize(("size", "received_at"), [(10, "2026-11-21T21:03:25.123Z"), (9, "2026-11-22T21:03:25.123Z")])
def test_a_source_id_is_the_hash_of_bucket_key_and_version_alone(bucket, key, version_id, source_id, size, received_at):
    assert Source(bucket, key, version_id, size, received_at).source_id == source_id


def test_a_batch_id_is_the_hash_of_the_sorted_source_ids():
    assert batch_id_of(["b", "a"]) == batch_id_of(["a", "b"]) == "7e18f737311b2dc3b2f269dd78396b03"
    assert batch_id_of(["a"]) != batch_id_of(["a", "b"])


def test_an_execution_is_named_by_batch_and_attempt():
    assert execution_name("0123", 2) == "0123-2"


SAFE_NAMES = [
    ("incoming/a.csv", "a.csv"),
    ("incoming/2026/11/a.csv", "a.csv"),
    ("incoming/a b+c%20.csv", "a_b_c_20.csv"),
    ("incoming/é.csv", "_.csv"),
    ("incoming/𝄞.csv", "_.csv"),
    ("incoming/[x]{y}?*.csv", "_x__y___.csv"),
    ("incoming/..", ".."),
    ("incoming/a\nb.csv", "a_b.csv"),
    ("incoming/-_.A9.CSV", "-_.A9.CSV"),
    ("incoming/" + "a" * 300 + ".csv", "a" * 196 + ".csv"),
]


@pytest.mark.parametrize(("key", "name"), SAFE_NAMES)
def test_a_safe_name_is_the_last_200_bytes_of_the_last_segment_without_unsafe_characters(key, name):
    assert safe_name(key) == name


def test_a_kept_key_has_arrival_date_source_id_and_name():
    kept = source("incoming/x/a b.csv")
    assert kept.kept_key("archive") == f"archive/2026/11/21/{kept.source_id}/a_b.csv"


@given(KEYS)
def test_a_kept_key_is_a_plain_key_within_the_limit_of_s3(key):
    kept = source("incoming/" + key).kept_key("quarantine")
    assert len(kept.encode()) <= 1024
    assert kept.isascii()
    assert kept.count("/") == 5


def test_a_file_named_like_the_reason_beside_it_gets_another_name():
    assert source("incoming/reason.json").kept_key("quarantine").rsplit("/", 1)[1] != "reason.json"
