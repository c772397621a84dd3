"""Timestamps: ISO 8601 in UTC with milliseconds."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_streams import clock

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))


def test_a_timestamp_is_utc_with_milliseconds():
    instant = datetime(2026, 11, 21, 23, 3, 25, 123999, timezone(timedelta(hours=2)))
    assert clock.timestamp(instant) == "2026-11-21T21:03:25.123Z"


@pytest.mark.parametrize("text", ["2026-11-21T21:03:25Z", "2026-11-21T21:03:25+00:00", "2026-11-21T23:03:25+02:00"])
def test_timestamps_of_aws_events_are_parsed(text):
    assert clock.parse(text) == datetime(2026, 11, 21, 21, 3, 25, tzinfo=UTC)


@given(INSTANTS)
def test_a_timestamp_survives_parsing_and_formatting(instant):
    assert clock.timestamp(clock.parse(clock.timestamp(instant))) == clock.timestamp(instant)


@given(INSTANTS, INSTANTS)
def test_timestamps_sort_by_time(one, other):
    if clock.timestamp(one) < clock.timestamp(other):
        assert one < other


def test_seconds_are_subtracted_from_a_timestamp():
    assert clock.seconds_before("2026-01-01T00:00:01.500Z", 2.5) == "2025-12-31T23:59:59.000Z"


def test_now_is_the_timestamp_of_the_current_time():
    before = clock.timestamp(datetime.now(UTC))
    assert before <= clock.now() <= clock.timestamp(datetime.now(UTC))


def test_dates_run_from_the_first_to_the_last():
    assert clock.dates("2024-02-28", "2024-03-01") == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert clock.dates("2024-02-28", "2024-02-28") == ["2024-02-28"]
    assert clock.dates("9999-12-31", "9999-12-30") == []


def test_consecutive_days_form_ranges():
    days = ["2024-03-01", "2023-12-31", "2024-02-29", "2024-01-01", "2024-03-01", "2024-03-03"]
    assert clock.ranges_of(days) == [
        ("2023-12-31", "2024-01-01"),
        ("2024-02-29", "2024-03-01"),
        ("2024-03-03", "2024-03-03"),
    ]
    assert clock.ranges_of([]) == []
