"""The days that the key of a file names."""

from datetime import date

import pytest

from music_streams_cli.report.data import days_named


@pytest.mark.parametrize(
    "key",
    [
        *("incoming/streams_2024-06-25.csv", "incoming/streams_20240625_part1.csv", "incoming/2024_06_25.csv"),
        *("incoming/2024/06/25/part-1.csv", "incoming/day=2024-06-25T10/part.csv.gz"),
    ],
)
def test_a_day_in_a_key_is_found(key):
    assert days_named(key) == {date(2024, 6, 25)}


@pytest.mark.parametrize(
    "key",
    ["incoming/a.csv", "incoming/2024-13-45.csv", "incoming/120240625.csv", "incoming/2024-0625.csv", "٢٠٢٤-٠٦-٢٥.csv"],
)
def test_other_digits_are_not_a_day(key):
    assert days_named(key) == set()


def test_a_key_may_name_several_days():
    assert days_named("incoming/2024-06-25/late_2024-06-24.csv") == {date(2024, 6, 24), date(2024, 6, 25)}
