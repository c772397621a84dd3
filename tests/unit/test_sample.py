"""The sample generator: always the same bytes, exact shares, and cases for every rule of the contract."""

import csv
import hashlib
import io
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime

import pytest

from music_streams_cli.sample_data import (
    DEFECTS,
    SONG_COLUMNS,
    STREAM_COLUMNS,
    USER_COLUMNS,
    Catalogue,
    broken,
    streams,
)
from tests.oracle import Batch, Outcome, Reference, Source, StreamFile, evaluate

DAY = date(2024, 6, 25)
CATALOGUE = Catalogue.generate(seed=7)


def outcome_of(*files: bytes, max_rejected_ratio: str = "1") -> Outcome:
    arrived_at = datetime(2024, 6, 26, tzinfo=UTC)
    sources = [StreamFile(f"s{n}", content, arrived_at) for n, content in enumerate(files, start=1)]
    reference = Reference([CATALOGUE.songs], [CATALOGUE.users], version=1)
    return evaluate([Batch(sources, reference)], max_rejected_ratio=max_rejected_ratio)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def test_the_bytes_are_the_same_on_every_python() -> None:
    stream = streams(7, CATALOGUE, DAY, 2_000, dirty=0.1, duplicates=0.05, unknown=0.05, late_days=3)
    digests = [hashlib.sha256(content).hexdigest()[:16] for content in (CATALOGUE.songs, CATALOGUE.users, stream)]
    assert digests == ["59f6678145dbf6bb", "de2c1617580a6451", "e5686994e384a15b"]


def test_files_of_different_seeds_or_days_differ() -> None:
    seeds_and_days = ((7, DAY), (8, DAY), (7, date(2024, 6, 24)))
    assert len({streams(seed, CATALOGUE, day, 10) for seed, day in seeds_and_days}) == 3
    assert Catalogue.generate(seed=8).songs != CATALOGUE.songs


def test_clean_rows_are_all_accepted_and_on_the_day() -> None:
    content = streams(1, CATALOGUE, DAY, 5_000)
    assert content.startswith(b"user_id,track_id,listen_time\n")
    assert outcome_of(content).sources["s1"] == Source(None, rows_read=5_000, rows_accepted=5_000, days=("2024-06-25",))


def test_the_shares_are_exact_and_every_reason_occurs() -> None:
    content = streams(1, CATALOGUE, DAY, 2_000, dirty=0.08, duplicates=0.03, unknown=0.02)
    rejected = dict.fromkeys(DEFECTS, 20) | {"duplicate": 60, "unknown_track": 40}
    assert outcome_of(content).sources["s1"] == Source(None, 2_000, 1_740, rejected, ("2024-06-25",))


def test_every_form_of_a_defect_has_its_listed_reason() -> None:
    good = {"user": "7", "track": CATALOGUE.track_ids[0], "time": "2024-06-25 12:00:00"}
    forms = [(reason, form) for reason, forms in DEFECTS.items() for form in forms]
    files = [f"{','.join(STREAM_COLUMNS)}\n{form.format_map(good)}\n".encode() for _, form in forms]
    sources = outcome_of(*files).sources
    assert [(sources[f"s{n}"].rejected, form) for n, (_, form) in enumerate(forms, start=1)] == [
        ({reason: 1}, form) for reason, form in forms
    ]


def test_a_file_with_too_many_bad_rows_has_that_verdict() -> None:
    content = streams(1, CATALOGUE, DAY, 200, dirty=0.5)
    assert outcome_of(content, max_rejected_ratio="0.20").sources["s1"].verdict == "too_many_bad_rows"


def test_shares_that_leave_no_plain_row_are_an_error() -> None:
    for shares in ({"dirty": 0.6, "unknown": 0.6}, {"duplicates": 1}):
        with pytest.raises(ValueError, match="leave no plain row among 10"):
            streams(1, CATALOGUE, DAY, 10, **shares)


def test_a_file_of_no_rows_is_a_header() -> None:
    assert streams(1, CATALOGUE, DAY, 0) == b"user_id,track_id,listen_time\n"


def test_late_listens_are_on_earlier_days() -> None:
    source = outcome_of(streams(1, CATALOGUE, DAY, 1_000, late_days=2)).sources["s1"]
    assert source.days == ("2024-06-23", "2024-06-24", "2024-06-25")
    assert source.rows_accepted == 1_000


def test_listen_times_have_every_notation() -> None:
    times = "\n".join(row["listen_time"] for row in rows_of(streams(1, CATALOGUE, DAY, 5_000)))
    for separator in ("T", " "):
        assert re.search(rf"^\d{{4}}-\d\d-\d\d{separator}\d\d:\d\d:\d\d$", times, re.MULTILINE)
    for digits in range(1, 10):
        assert re.search(rf"\.\d{{{digits}}}(\D|$)", times, re.MULTILINE), f"no fraction of {digits} digits"
    for zone in ("Z", "+05:30", "+0530", "-08:00", "+18:00", "-18:00"):
        assert f"{zone}\n" in times


def test_tracks_and_hours_have_realistic_distributions() -> None:
    rows = rows_of(streams(1, CATALOGUE, DAY, 20_000))
    listens_by_track = Counter(row["track_id"] for row in rows)
    first, second, tenth, hundredth = (listens_by_track[CATALOGUE.track_ids[n]] for n in (0, 1, 9, 99))
    assert first > second > 3 * tenth > 3 * hundredth > 0

    plain = [row["listen_time"] for row in rows if re.fullmatch(r"[-\d]{10}[ T][:\d]{8}", row["listen_time"])]
    listens_by_hour = Counter(time[11:13] for time in plain)
    assert listens_by_hour["20"] > 2 * listens_by_hour["12"] > 2 * listens_by_hour["04"] > 0


def test_the_songs_have_cases_for_every_rule_of_the_contract() -> None:
    rows = rows_of(CATALOGUE.songs)
    assert tuple(rows[0]) == SONG_COLUMNS
    valid = [row for row in rows if row["track_name"] != "Never to be seen"]
    assert {row["track_id"] for row in valid} == set(CATALOGUE.track_ids)
    assert len(rows) - len(valid) == 10

    by_track = defaultdict(list)
    for row in valid:
        by_track[row["track_id"]].append(row)
    tracks = list(by_track.values())
    assert any(len({row["track_genre"] for row in of_track}) == 3 for of_track in tracks)
    assert any({row["id"] == "" for row in of_track} == {True, False} for of_track in tracks)

    numbered = [of_track for of_track in tracks if all(row["id"] for row in of_track)]
    by_number = [min(of_track, key=lambda row: int(row["id"]))["track_name"] for of_track in numbered]
    by_text = [min(of_track, key=lambda row: row["id"])["track_name"] for of_track in numbered]
    by_place = [of_track[0]["track_name"] for of_track in numbered]
    assert by_number != by_text
    assert by_number != by_place

    names = "".join(row["track_name"] for row in valid)
    assert all(character in names for character in ('"', ",", "\n", "星"))
    assert any(";" in row["artists"] for row in valid)


def test_the_users_have_cases_for_every_rule_of_the_contract() -> None:
    rows = rows_of(CATALOGUE.users)
    assert tuple(rows[0]) == USER_COLUMNS
    countries = defaultdict(set)
    for row in rows:
        countries[int(row["user_id"])].add(row["user_country"])
    assert "Côte d'Ivoire" in set.union(*countries.values())
    assert {""} in countries.values()
    assert any("" in several and len(several) > 1 for several in countries.values())
    assert any("" not in several and len(several) > 1 for several in countries.values())
    assert set(countries) < set(CATALOGUE.user_ids)


def test_broken_files_have_the_verdicts_that_are_their_names() -> None:
    files = broken(DAY)
    outcome = outcome_of(*files.values())
    assert [source.verdict for source in outcome.sources.values()] == list(files) == ["missing_columns", "empty_file"]
