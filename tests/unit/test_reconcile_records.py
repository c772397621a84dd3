"""The figures of a date of arrival."""

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


def after(seconds: float, timestamp: str = ARRIVED) -> str:
    return clock.seconds_before(timestamp, -seconds)


def entry(status: Status = Status.ARCHIVED, at: str = ARRIVED, key: str = "incoming/x.csv", **attributes: Any) -> Entry:
    return Entry(Source("landing", key, "v", 1, at), status, NOW, **({"attempt": 1} | attributes))


def published(seconds: float, at: str = ARRIVED, **attributes: Any) -> Entry:
    return entry(at=at, first_published_at=after(seconds, at), **attributes)


def of(*entries: Entry, now: str = NOW) -> DayRecord:
    return record(DAY, entries, TARGET, now)


# ── Latency SLA ──


@pytest.mark.parametrize(("seconds", "met"), [(0, 1), (899.999, 1), (900, 1), (900.001, 0)])
def test_a_file_published_within_the_target_meets_the_sla(seconds, met):
    figures = of(published(seconds))
    assert (figures.due, figures.met, figures.attainment) == (1, met, met)


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING, Status.FAILED])
@pytest.mark.parametrize(("age", "due"), [(899.999, 0), (900, 0), (900.001, 1)])
def test_an_unpublished_file_is_due_once_it_is_older_than_the_target(status, age, due):
    figures = of(entry(status), now=after(age))
    assert (figures.due, figures.met) == (due, 0)


def test_the_first_publication_counts_whatever_attempts_follow():
    again = published(60, attempt=3, published_at=after(5_000))
    failed_later = entry(Status.FAILED, attempt=2, first_published_at=after(60))
    assert (of(again, failed_later).due, of(again, failed_later).met) == (2, 2)


@pytest.mark.parametrize("status", [Status.QUARANTINED, Status.RETRACTED])
def test_quarantined_and_retracted_files_have_no_sla(status):
    figures = of(entry(status, first_published_at=after(5_000)), entry(status))
    assert (figures.arrivals, figures.due, figures.attainment, figures.to_published) == (2, 0, None, None)


def test_attainment_is_a_share_and_none_if_no_file_is_due():
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
def test_percentiles_are_interpolated(seconds, expected):
    assert Percentiles.of(seconds) == expected


def test_the_time_to_publication_covers_published_files():
    figures = of(published(10), published(20), entry(Status.FAILED))
    assert figures.to_published == Percentiles(15.0, 19.5, 19.9)


# ── Stages ──

TIMESTAMPS: dict[str, Any] = {
    "validated_at": after(3),
    "started_at": after(5),
    "published_at": after(65),
    "first_published_at": after(65),
    "archived_at": after(66.5),
}


def test_the_stages_of_a_file_add_up_from_its_arrival_to_the_archive():
    stages = of(entry(**TIMESTAMPS)).stages
    assert {stage: spans.p50 for stage, spans in stages.items()} == dict(zip(STAGES, (3, 2, 60, 1.5), strict=True))


@pytest.mark.parametrize(
    "other", [entry(**TIMESTAMPS, attempt=2), entry(**{**TIMESTAMPS, "archived_at": ""}), entry(Status.FAILED)]
)
def test_only_files_archived_in_their_first_attempt_have_stages(other):
    assert of(other).stages == {}
    assert of(other, entry(**TIMESTAMPS)).stages == of(entry(**TIMESTAMPS)).stages


def test_a_clock_ahead_of_ours_causes_no_negative_stage():
    assert of(entry(**{**TIMESTAMPS, "validated_at": after(-1)})).stages[STAGES[0]].p50 == 0


# ── Counts ──


def test_arrivals_and_publications_are_counted_by_hour():
    early = published(3_600, at=f"{DAY}T00:30:00.000Z")
    next_day = published(3_600, at=f"{DAY}T23:59:59.000Z")
    figures = of(early, next_day, entry(Status.RUNNING))
    assert {hour: count for hour, count in enumerate(figures.arrivals_by_hour) if count} == {0: 1, 21: 1, 23: 1}
    assert {hour: count for hour, count in enumerate(figures.published_by_hour) if count} == {1: 1, 0: 1}
    assert len(figures.arrivals_by_hour) == len(figures.published_by_hour) == 24


def test_statuses_reasons_and_rows_are_counted():
    figures = of(
        published(1, rows_read=10, rows_accepted=8, rejected={"duplicate": 2}, reason=""),
        entry(Status.QUARANTINED, reason="too_many_bad_rows", rows_read=5, rejected={"duplicate": 1, "bad_user_id": 4}),
        entry(Status.QUARANTINED, reason="not_csv"),
        entry(Status.FAILED, reason="not_csv"),
        entry(Status.RUNNING),
    )
    assert (figures.day, figures.made_at, figures.target_seconds, figures.arrivals) == (DAY, NOW, TARGET, 5)
    assert figures.statuses == {"ARCHIVED": 1, "QUARANTINED": 2, "FAILED": 1, "RUNNING": 1}
    assert figures.reasons == {"too_many_bad_rows": 1, "not_csv": 2}
    assert (figures.rows_read, figures.rows_accepted, figures.rejected) == (15, 8, {"duplicate": 3, "bad_user_id": 4})


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
def test_only_streams_files_of_the_date_count(other):
    assert of(other) == of()


def test_the_cost_of_a_date_is_that_of_all_runs_of_its_files():
    ran_again = entry(total_cost_micro_usd=40_000, cost_micro_usd=15_000)
    assert of(ran_again, entry(total_cost_micro_usd=2)).cost_micro_usd == 40_002


def test_a_record_without_costs_can_be_read():
    stored = of(entry()).as_json()
    del stored["cost_micro_usd"]
    assert DayRecord.from_json(stored).cost_micro_usd == 0
