"""Enriching classified rows with reference data (docs/design.md, section 3, Row reasons; section 5, Lake)."""

from datetime import UTC, datetime

import pytest

from music_streams.transform.spark import listens

CLASSIFIED = """source_id STRING, position STRUCT<block: BIGINT, line: BIGINT>, raw STRING, user_id BIGINT,
    track_id STRING, listened_at TIMESTAMP, reason STRING, received_at TIMESTAMP"""
SONGS = "track_id STRING, track_name STRING, artists STRING, duration_ms BIGINT, genres ARRAY<STRING>"
AT = datetime(2024, 6, 25, 23, 59, 59, 999999, tzinfo=UTC)
NEXT_DAY = datetime(2024, 6, 26, tzinfo=UTC)
ARRIVAL = datetime(2024, 6, 26, 1, tzinfo=UTC)

ROWS = [  # source, raw, user, track, instant, reason before -> reason after
    ("a", "good", 1, "known", AT, None, None),
    ("a", "good next day", 1, "known", NEXT_DAY, None, None),
    ("a", "no country", 2, "known", AT, None, None),
    ("a", "unknown", 1, "unknown", AT, None, "unknown_track"),
    ("a", "duplicate", 1, "known", AT, "duplicate", "duplicate"),
    ("a", "duplicate of a parked one", 1, "unknown", AT, "duplicate", "duplicate"),
    ("a", "malformed", None, None, None, "malformed_row", "malformed_row"),
    ("a", "bad user", None, "known", AT, "bad_user_id", "bad_user_id"),
    ("a", "future of unknown", 1, "unknown", AT, "future_listen_time", "future_listen_time"),
    ("b", "other file", 1, "known", AT, None, None),
    ("b", "other unknown", 1, "unknown", AT, None, "unknown_track"),
]


@pytest.fixture(scope="module")
def enriched(spark):
    values = [(source, (0, n), *rest[:-1], ARRIVAL) for n, (source, *rest) in enumerate(ROWS)]
    songs = spark.createDataFrame([("known", "name", "artists", 1000, ["pop", "rock"])], SONGS)
    users = spark.createDataFrame([(1, "DE")], "user_id BIGINT, user_country STRING")
    return listens.enrich(spark.createDataFrame(values, CLASSIFIED), songs, users).persist()


def test_a_valid_row_of_an_unknown_track_is_parked_unless_another_reason_applies(enriched):
    reasons = {row["raw"]: row["reason"] for row in enriched.collect()}
    assert reasons == {raw: after for _, raw, *_, after in ROWS}


def test_accepted_rows_have_all_columns_of_the_lake(enriched):
    rows = listens.accepted(enriched, ["a"], "batch-1", 2**40).collect()
    assert {(row["user_id"], row["listened_at"].isoformat(), row["user_country"]) for row in rows} == {
        (1, "2024-06-25T23:59:59.999999", "DE"),
        (1, "2024-06-26T00:00:00", "DE"),
        (2, "2024-06-25T23:59:59.999999", "unknown"),
    }
    frozen = {(*tuple(row)[3:6], tuple(row["genres"]), *tuple(row)[8:]) for row in rows}
    assert frozen == {(1000, "name", "artists", ("pop", "rock"), "a", "batch-1", 2**40)}


def test_rejected_rows_have_their_text_their_reason_and_the_arrival_of_their_file(enriched):
    rows = listens.rejected(enriched, ["b"], "batch-1").collect()
    arrival = ARRIVAL.replace(tzinfo=None)  # as Spark returns it, in the session's zone
    assert [tuple(row) for row in rows] == [("other unknown", "unknown_track", "b", "batch-1", arrival)]


def test_every_row_is_counted_once(enriched):
    counted = {
        (row["source_id"], row["reason"], row["day"]): row["count"] for row in listens.counts(enriched).collect()
    }
    assert counted == {
        ("a", None, "2024-06-25"): 2,
        ("a", None, "2024-06-26"): 1,
        ("a", "unknown_track", None): 1,
        ("a", "duplicate", None): 2,
        ("a", "malformed_row", None): 1,
        ("a", "bad_user_id", None): 1,
        ("a", "future_listen_time", None): 1,
        ("b", None, "2024-06-25"): 1,
        ("b", "unknown_track", None): 1,
    }
