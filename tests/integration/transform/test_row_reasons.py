"""The row reasons of the contract, with a case for each rule (docs/design.md, section 3)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from music_streams.transform.spark import row_reasons

TRACK = "4dBa8T7oDV9WvGr7kVS4Ez"
TIME = "2024-06-25 17:43:13"
ARRIVAL = datetime(2024, 6, 26, tzinfo=UTC)

GOOD = {  # rows -> user_id, listened_at
    f"7,{TRACK},{TIME}": (7, TIME),
    f"007,{TRACK},{TIME}": (7, TIME),
    f'"7","{TRACK}","{TIME}"': (7, TIME),
    f"9223372036854775807,{TRACK},{TIME}": (9223372036854775807, TIME),
    f"7,{TRACK},2024-06-25T17:43:13Z": (7, TIME),
    f"7,{TRACK},2024-06-25 17:43:13.1234569": (7, "2024-06-25 17:43:13.123456"),
    f"7,{TRACK},2024-06-25 17:43:13+05:30": (7, "2024-06-25 12:13:13"),
    f"7,{TRACK},2024-06-25 17:43:13+0530": (7, "2024-06-25 12:13:13"),
    f"7,{TRACK},2024-06-25 17:43:13-00:00": (7, TIME),
    f"7,{TRACK},2024-06-25 17:43:13+18:00": (7, "2024-06-24 23:43:13"),
    f"7,{TRACK},1970-01-01 00:00:00+18:00": (7, "1969-12-31 06:00:00"),
    f"7,{TRACK},2024-06-27 00:00:00": (7, "2024-06-27 00:00:00"),
}
BAD_USERS = ("0", " 7", "+7", "7.0", "٧", "9223372036854775808", "00000000000000000007")
BAD_TIMES = (
    *("2024-06-25 17:43:13+18:01", "2024-06-25 17:43:13.", "2024-06-25 17:43:13.1234567890", "2024-6-25 17:43:13"),
    *("2024-02-30 17:43:13", "2023-02-29 17:43:13", "2024-06-25 24:00:00", "2024-06-25 23:59:60"),
    *("1969-12-31 23:59:59", f"{TIME} ", "2024-06-25"),
)
BAD = {  # reason -> rows
    "malformed_row": [
        *(f"7,{TRACK}", f"7,{TRACK},{TIME},x", f'7,{TRACK},"{TIME}'),
        *(f'7,{TRACK},"{TIME}"x', f'7,{TRACK},2024-06-25" 17:43:13'),
    ],
    "missing_user_id": [f",{TRACK},{TIME}", f'"",{TRACK},{TIME}'],
    "bad_user_id": [f"{user},{TRACK},{TIME}" for user in BAD_USERS],
    "missing_track_id": [f"7,,{TIME}"],
    "bad_track_id": [f"7,{TRACK}x,{TIME}", f"7,{TRACK[:-1]}-,{TIME}"],
    "missing_listen_time": [f"7,{TRACK},"],
    "bad_listen_time": [f"7,{TRACK},{time}" for time in BAD_TIMES],
    "future_listen_time": [f"7,{TRACK},2024-06-27 00:00:00.000001", f"7,{TRACK},9999-12-31 23:59:59-18:00"],
}
REASONS = {line: reason for reason, lines in BAD.items() for line in lines}


def classified(spark, lines: list[tuple[str, str]], sources: list[tuple[Any, ...]]):
    numbered = [(source_id, (0, number), line) for number, (source_id, line) in enumerate(lines)]
    frame = row_reasons.classify(
        spark.createDataFrame(numbered, row_reasons.LINES), spark.createDataFrame(sources, row_reasons.SOURCES)
    )
    columns = ["source_id", "raw", "reason", "user_id", "track_id", "cast(listened_at as string) as at"]
    return frame.orderBy("position").selectExpr(*columns).collect()


@pytest.fixture(scope="module")
def by_line(spark):
    """All cases in one job, each line in its own file."""
    lines = [(f"source-{number}", line) for number, line in enumerate([*GOOD, *REASONS])]
    sources = [(source_id, ARRIVAL, 3, 0, 1, 2) for source_id, _ in lines]
    return {row["raw"]: row for row in classified(spark, lines, sources)}


@pytest.mark.parametrize("line", GOOD)
def test_a_valid_line_is_a_listen(by_line, line):
    row = by_line[line]
    assert (row["reason"], row["user_id"], row["track_id"], row["at"]) == (None, GOOD[line][0], TRACK, GOOD[line][1])


@pytest.mark.parametrize(("line", "reason"), REASONS.items())
def test_a_bad_line_has_the_first_reason_that_applies(by_line, line, reason):
    assert by_line[line]["reason"] == reason


def test_columns_are_found_by_the_header_of_each_file(spark):
    quoted = 'x,"a, ""b""",'
    lines = [("first", f"7,{TRACK},{TIME}"), ("second", f"{quoted}{TIME},7,{TRACK}")]
    sources = [("first", ARRIVAL, 3, 0, 1, 2), ("second", ARRIVAL, 5, 3, 4, 2)]
    assert {
        (row["reason"], row["user_id"], row["track_id"], row["at"]) for row in classified(spark, lines, sources)
    } == {(None, 7, TRACK, TIME)}


def test_every_row_after_the_first_of_an_event_in_a_file_is_a_duplicate(spark):
    lines = [
        ("a", f"7,{TRACK},{TIME}"),
        ("a", f"bad,{TRACK},{TIME}"),
        ("a", f"bad,{TRACK},{TIME}"),
        ("b", f"7,{TRACK},{TIME}"),
        ("a", f"007,{TRACK},2024-06-25T17:43:13.0Z"),
        ("a", f"7,{TRACK},2024-06-25 17:43:14"),
    ]
    sources = [("a", ARRIVAL, 3, 0, 1, 2), ("b", ARRIVAL, 3, 0, 1, 2)]
    reasons = [row["reason"] for row in classified(spark, lines, sources)]
    assert reasons == [None, "bad_user_id", "bad_user_id", None, "duplicate", None]


def test_only_the_first_of_the_lines_equal_to_the_header_is_the_header(spark):
    header, others = "user_id,track_id,listen_time", 'x,"listen_time",user_id,track_id'
    lines = [
        *((name, header) for name in ("a", "a", "b", "a")),
        ("c", others),
        ("c", "y,listen_time,user_id,track_id"),
        ("c", "x,listen_time,user_id,track_id,more"),
        ("c", "x,user_id,track_id,listen_time"),
    ]
    sources = [("a", ARRIVAL, 3, 0, 1, 2), ("b", ARRIVAL, 3, 0, 1, 2), ("c", ARRIVAL, 4, 2, 3, 1)]
    assert [(row["source_id"], row["raw"], row["reason"]) for row in classified(spark, lines, sources)] == [
        ("a", header, "bad_user_id"),
        ("a", header, "bad_user_id"),
        *((source_id, raw, "malformed_row" if "more" in raw else "bad_user_id") for source_id, raw in lines[5:]),
    ]
