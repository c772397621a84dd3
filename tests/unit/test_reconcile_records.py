"""A day's arrivals in numbers."""

from typing import Any

import pytest

from music_streams import clock
from music_streams.reconcile.records import STAGES, DayRecord, Percentiles, record
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source
from music_streams.state.statuses import Status

DAY = "2026-11-21"
ARRIVED = f"{DAY}T21:03:25.000Z"
NOW = f"{DAY}T23:00:00.000Z"
TARGET = 900.0


def after(seconds: float, stamp: str = ARRIVED) -> str:
    return clock.seconds_before(stamp, -seconds)


def entry(status: Status = Status.ARCHIVED, at: str = ARRIVED, key: str = "incoming/x.csv", **attributes: Any) -> Entry:
    return Entry(Source("landing", key, "v", 1, at), status, NOW, **({"attempt": 1} | attributes))


def published(seconds: float, at: str = ARRIVED, **attributes: Any) -> Entry:
    return entry(at=at, first_published_at=after(seconds, at), **attributes)


def of(*entries: Entry, now: str = NOW) -> DayRecord:
    return record(DAY, entries, TARGET, now)


# ── The promise ──


@pytest.mark.parametrize(("seconds", "met"), [(0, 1), (899.999, 1), (900, 1), (900.001, 0)])
def test_what_was_published_within_the_target_kept_the_promise(seconds, met):
    found = of(published(seconds))
    assert (found.due, found.met, found.attainment) == (1, met, met)


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING, Status.FAILED])
@pytest.mark.parametrize(("age", "due"), [(899.999, 0), (900, 0), (900.001, 1)])
def test_what_is_not_published_is_due_once_it_is_older_than_the_target(status, age, due):
    found = of(entry(status), now=after(age))
    assert (found.due, found.met) == (due, 0)


def test_the_first_publication_counts_whatever_attempts_came_after_it():
    again = published(60, attempt=3, published_at=after(5_000))
    failed_since = entry(Status.FAILED, attempt=2, first_published_at=after(60))
    assert (of(again, failed_since).due, of(again, failed_since).met) == (2, 2)


@pytest.mark.parametrize("status", [Status.QUARANTINED, Status.RETRACTED])
def test_to_what_is_quarantined_or_retracted_nothing_was_promised(status):
    found = of(entry(status, first_published_at=after(5_000)), entry(status))
    assert (found.arrivals, found.due, found.attainment, found.to_published) == (2, 0, None, None)


def test_attainment_is_a_share_and_none_where_nothing_was_due():
    assert of(published(1), published(2), published(901), entry(Status.FAILED)).attainment == 0.5
    assert of().attainment is None


# ── Percentiles ──


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], None),
        ([7.5], Percentiles(7.5, 7.5, 7.5)),
        ([10.0, 0.0], Percentiles(5.0, 9.5, 9.9)),
        ([float(n) for n in range(100, -1, -1)], Percentiles(50.0, 95.0, 99.0)),
        ([3.0] * 4, Percentiles(3.0, 3.0, 3.0)),
    ],
    ids=["none", "one", "two", "many", "equal"],
)
def test_percentiles_lie_between_the_values(seconds, expected):
    assert Percentiles.of(seconds) == expected


def test_the_time_to_publication_is_that_of_the_published_ones():
    found = of(published(10), published(20), entry(Status.FAILED))
    assert found.to_published == Percentiles(15.0, 19.5, 19.9)


# ── Stages ──

STAMPS: dict[str, Any] = {
    "validated_at": after(3),
    "started_at": after(5),
    "published_at": after(65),
    "first_published_at": after(65),
    "archived_at": after(66.5),
}


def test_the_stages_of_a_file_add_up_from_its_arrival_to_the_archive():
    found = of(entry(**STAMPS)).stages
    assert {stage: each.p50 for stage, each in found.items()} == dict(zip(STAGES, (3, 2, 60, 1.5), strict=True))


@pytest.mark.parametrize(
    "other", [entry(**STAMPS, attempt=2), entry(**{**STAMPS, "archived_at": ""}), entry(Status.FAILED)]
)
def test_only_those_that_came_through_at_their_first_attempt_tell_the_stages(other):
    assert of(other).stages == {}
    assert of(other, entry(**STAMPS)).stages == of(entry(**STAMPS)).stages


def test_a_clock_that_is_ahead_makes_no_negative_stage():
    assert of(entry(**{**STAMPS, "validated_at": after(-1)})).stages["judged"].p50 == 0


# ── Counts ──


def test_arrivals_and_publications_are_counted_by_hour():
    early = published(3_600, at=f"{DAY}T00:30:00.000Z")
    next_day = published(3_600, at=f"{DAY}T23:59:59.000Z")
    found = of(early, next_day, entry(Status.RUNNING))
    assert {hour: count for hour, count in enumerate(found.arrivals_by_hour) if count} == {0: 1, 21: 1, 23: 1}
    assert {hour: count for hour, count in enumerate(found.published_by_hour) if count} == {1: 1, 0: 1}
    assert len(found.arrivals_by_hour) == len(found.published_by_hour) == 24


def test_where_they_stand_and_why_is_counted():
    found = of(
        published(1, rows_read=10, rows_accepted=8, rejected={"duplicate": 2}, reason=""),
        entry(Status.QUARANTINED, reason="too_many_bad_rows", rows_read=5, rejected={"duplicate": 1, "bad_user_id": 4}),
        entry(Status.QUARANTINED, reason="not_csv"),
        entry(Status.FAILED, reason="not_csv"),
        entry(Status.RUNNING),
    )
    assert (found.day, found.made_at, found.target_seconds, found.arrivals) == (DAY, NOW, TARGET, 5)
    assert found.statuses == {"ARCHIVED": 1, "QUARANTINED": 2, "FAILED": 1, "RUNNING": 1}
    assert found.reasons == {"too_many_bad_rows": 1, "not_csv": 2}
    assert (found.rows_read, found.rows_accepted, found.rejected) == (15, 8, {"duplicate": 3, "bad_user_id": 4})


@pytest.mark.parametrize(
    "other",
    [
        entry(key="reference/songs/songs.csv"),
        entry(key="reference/users/users.csv", status=Status.FAILED),
        entry(at="2026-11-20T23:59:59.999Z"),
        entry(at="2026-11-22T00:00:00.000Z"),
    ],
    ids=["songs", "users", "the day before", "the day after"],
)
def test_only_streams_files_of_the_day_count(other):
    assert of(other) == of()


def test_the_cost_of_a_day_is_that_of_all_runs_of_its_files():
    ran_again = entry(total_cost_micro_usd=40_000, cost_micro_usd=15_000)
    assert of(ran_again, entry(total_cost_micro_usd=2)).cost_micro_usd == 40_002


def test_a_record_of_before_costs_were_kept_can_be_read():
    told = of(entry()).as_json()
    del told["cost_micro_usd"]
    assert DayRecord.from_json(told).cost_micro_usd == 0
