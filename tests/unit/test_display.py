"""Numbers and durations are formatted for people."""

from datetime import UTC, datetime

import pytest

from music_streams import display


@pytest.mark.parametrize(
    ("value", "text"), [(-1, "0 s"), (42.4, "42 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (864_000, "10 d")]
)
def test_a_duration_is_formatted_in_its_largest_unit(value, text):
    assert display.span(value) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (5_100_000_000, "5.1 GB")])
def test_sizes(count, text):
    assert display.size(count) == text


def test_a_sparkline_is_scaled_from_zero_to_the_greatest_value():
    assert display.sparkline([0, 5, 10]) == "▁▅█"
    assert display.sparkline([0, 0]) == "▁▁"
    assert display.sparkline([]) == ""


def test_counts_begin_with_the_most_frequent():
    assert display.counts({"b": 2, "a": 2, "c": 1_500}) == "1,500 c, 2 a, 2 b"


def test_many_days_are_shortened_to_first_last_and_number():
    assert display.days(["2024-01-01", "2024-01-02"]) == "2024-01-01, 2024-01-02"
    assert display.days([f"2024-01-0{n}" for n in range(1, 6)]) == "2024-01-01 … 2024-01-05 (5 days)"


def test_seconds_between_two_timestamps_or_none_if_one_is_empty():
    assert display.seconds_between("2024-06-25T12:00:00.000Z", "2024-06-25T12:00:01.500Z") == 1.5
    assert display.seconds_between("2024-06-25T12:00:00.000Z", "") is None


def test_age():
    assert display.age("2024-06-25T12:00:00.000Z", datetime(2024, 6, 25, 12, 1, tzinfo=UTC)) == 60


def test_a_long_text_is_cut_and_put_on_one_line():
    assert display.shortened("one\n two   three", 9) == "one two …"
