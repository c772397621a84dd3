"""After the jobs, each source of the run is published, or quarantined if the run rejected it."""

import itertools
import json
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from music_streams.aws.slices import SLICE
from music_streams.errors import EventRefused, RunIsOver
from music_streams.reconcile.stalled import request_message
from music_streams.state.requests import Action
from music_streams.state.run_files import PinnedReference, SourceOutcome, pin_reference, read_summary
from music_streams.state.statuses import Status
from tests.integration.domain.run import ACCEPTED, DAY, NOT_CSV, RUN_ID, TOO_MANY_BAD_ROWS, Run
from tests.integration.domain.stored_sources import move
from tests.integration.domain.validate import deliver
from tests.integration.domain.world import GOOD, alerts_by_source, always, before_and_after


@pytest.fixture
def run(world):
    """Return a run of one valid and one invalid file after its jobs; discard earlier alerts and events."""
    run = Run.with_results(world, ACCEPTED, TOO_MANY_BAD_ROWS)
    world.sent_alerts()
    world.sent_events()
    return run


def test_a_valid_source_is_published_with_its_counts(world, run):
    run.settle()
    good, _ = run.sources
    entry = world.entry(good)
    assert entry.status is Status.PUBLISHED
    assert (entry.rows_read, entry.rows_accepted, entry.rejected) == (10, 8, {"unknown_track": 2})
    assert entry.days == [DAY]
    assert world.is_at_landing_key(good)


@pytest.mark.parametrize(
    ("outcome", "texts"),
    [
        (
            TOO_MANY_BAD_ROWS,
            ["7 of 10 rows are malformed (70.0%, limit 20.0%): 7 bad_user_id; rejected and not malformed: 1 duplicate"],
        ),
        (NOT_CSV, ["it passed validation, but could not be parsed"]),
        (
            SourceOutcome(10, 0, {"duplicate": 1}, [], "too_many_days"),
            ["MaxDaysPerFile", "of this one are correct, release it"],
        ),
    ],
    ids=lambda value: getattr(value, "verdict", ""),
)
def test_a_source_that_the_run_rejects_is_quarantined_with_its_counts_and_an_alert(world, outcome, texts):
    run = Run.with_results(world, ACCEPTED, outcome)
    good, bad = run.sources
    world.sent_alerts()
    run.settle()
    entry = world.entry(bad)
    assert (entry.status, entry.reason, entry.days) == (Status.QUARANTINED, outcome.verdict, [])
    assert (entry.rows_read, entry.rows_accepted, entry.rejected) == (outcome.rows_read, 0, outcome.rejected)
    assert world.content(entry.archive_key) == GOOD
    assert not world.is_at_landing_key(bad)
    [alert] = world.sent_alerts()
    assert all(text in alert["Message"] for text in texts)
    assert world.status(good) is Status.PUBLISHED


def test_the_event_describes_the_publication(world, run):
    detail = {"batch_id": run.folder.batch_id, "version": 7, "days": [DAY], "sources": 1, "rows_accepted": 8}
    assert [run.settle() for _ in range(2)] == [0, 0]
    assert [event["detail"] for event in world.sent_events()] == [detail, detail]


@before_and_after
def test_the_step_is_idempotent_after_a_crash_at_any_call(world, is_done):
    for call in itertools.count(1):
        run = Run.with_results(world, ACCEPTED, TOO_MANY_BAD_ROWS)
        good, bad = run.sources
        world.sent_alerts()
        world.sent_events()
        if not world.crashes(run.settle, call, is_done=is_done):
            break
        run.settle()
        assert (world.status(good), world.status(bad)) == (Status.PUBLISHED, Status.QUARANTINED)
        assert world.content(bad.kept_key("quarantine")) == GOOD
        assert not world.is_at_landing_key(bad), call
        assert world.sent_alerts(), call
        assert world.sent_events(), call
    assert call > 10, "all crash points were tried"


def run_with_invalid_files(world, new, released):
    """Return a run that rejects all its files: new ones, and ones that were released from quarantine."""
    run = Run.with_results(world, *[TOO_MANY_BAD_ROWS] * (new + released))
    for source in run.sources[new:]:
        kept = move(world, source, "quarantine")
        held = {"batch_id": run.folder.batch_id, "execution_arn": run.arn, "archive_key": kept}
        world.put_entry(source, Status.RUNNING, **held)
    world.sent_alerts()
    return run


def test_the_invalid_files_of_a_run_cause_one_alert(world):
    run = run_with_invalid_files(world, new=20, released=2)
    assert run.settle() == 0
    [alert] = world.sent_alerts()
    assert alert["Subject"] == "music-streams: too_many_bad_rows: 22 files"
    assert alerts_by_source([alert]).keys() == {source.source_id for source in run.sources}
    assert run.settle() == 0
    assert world.sent_alerts() == []


def test_each_call_of_the_step_sends_an_alert_about_the_files_that_it_quarantined(world):
    run = run_with_invalid_files(world, new=SLICE + 1, released=0)
    assert run.settle(has_time=lambda: False) == 1
    [first] = world.sent_alerts()
    assert run.settle(has_time=lambda: False) == 0
    [second] = world.sent_alerts()
    assert "and 14 more" in first["Message"]
    assert len(re.findall("source_id", second["Message"])) == 1


@before_and_after
def test_every_alert_of_a_run_is_sent_even_if_the_step_crashes_at_any_call(world, is_done):
    for call in itertools.count(1):
        run = run_with_invalid_files(world, new=2, released=1)
        if not world.crashes(run.settle, call, is_done=is_done):
            break
        world.quarantine._announcements.clear()  # A crash loses the state in memory.
        run.settle()
        assert alerts_by_source(world.sent_alerts()).keys() == {source.source_id for source in run.sources}, call
        for source in run.sources:
            assert world.status(source) is Status.QUARANTINED, call
            assert world.content(source.kept_key("quarantine")) == GOOD, call
            assert not world.is_at_landing_key(source), call
    assert call > 15, "all crash points were tried"


def test_the_summary_is_that_of_the_job_run_whose_metrics_were_loaded(world, run):
    loaded = run.finish_jobs()
    run.finish_jobs(run_id="jr_2", sources={})
    run.settle()
    assert read_summary(world.s3, run.folder) == loaded


def test_a_source_that_another_execution_holds_is_unchanged(world, run):
    good, _ = run.sources
    world.put_entry(good, Status.RUNNING, batch_id="other", execution_arn=world.execution_arn("other-1"))
    before = world.item(good)
    run.settle()
    assert world.item(good) == before


def test_a_run_that_was_recorded_as_failed_settles_nothing(world, run):
    good, bad = run.sources
    world.put_entry(bad, Status.FAILED, batch_id=run.folder.batch_id, execution_arn=run.arn)
    before = world.item(good)
    with pytest.raises(RunIsOver, match="redrive"):
        run.settle()
    assert world.item(good) == before
    assert world.sent_events() == []


JOB_RUNS = {"ExecutionTime": 90, "MaxCapacity": 2.0}, {"ExecutionTime": 20, "MaxCapacity": 0.0625}


def costs(world, *sources):
    return [(e.cost_micro_usd, e.total_cost_micro_usd) for e in map(world.entry, sources)]


def test_every_source_of_a_run_gets_its_share_of_the_cost_even_if_it_is_quarantined(world, run):
    run.settle(job_runs=JOB_RUNS)
    [(good, _), (bad, _)] = costs(world, *run.sources)
    billed = 90 * 2 + 60 * 0.0625  # DPU-seconds: a minute at least
    assert good + bad > billed / 3_600 * 0.44 * 1_000_000
    assert abs(good - bad) <= 1, "both files have the same size"


@before_and_after
def test_a_retry_of_the_step_adds_the_cost_once(world, run, is_done):
    run.settle(job_runs=JOB_RUNS)
    expected = sum(cost for cost, _ in costs(world, *run.sources))
    for call in itertools.count(1):
        again = Run.with_results(world, ACCEPTED, TOO_MANY_BAD_ROWS)
        if not world.crashes(lambda again=again: again.settle(job_runs=JOB_RUNS), call, is_done=is_done):
            break
        for _ in range(2):
            again.settle(job_runs=JOB_RUNS)
        assert sum(cost for cost, _ in costs(world, *again.sources)) == expected, call
        assert all(cost == total for cost, total in costs(world, *again.sources)), call


def test_a_later_run_has_its_own_cost_and_adds_it_to_the_total(world, run):
    good, _ = run.sources
    run.settle(job_runs=JOB_RUNS)
    run.archive()
    [(first, _)] = costs(world, good)
    deliver(world, request_message(world.entry(good), Action.REPLAY))
    again = Run.holding(world, good).claimed()
    again.finish_jobs()
    again.settle(job_runs=JOB_RUNS)
    [(second, total)] = costs(world, good)
    assert second > first, "the file was alone in its run"
    assert total == first + second


def test_a_job_run_without_billing_data_does_not_prevent_publication(world, run):
    good, _ = run.sources
    assert run.settle(job_runs=({"ExecutionTime": 90}, JOB_RUNS[1])) == 0
    assert world.status(good) is Status.PUBLISHED
    assert "cost_micro_usd" not in world.item(good)


@pytest.mark.parametrize("count", [0, 5_000, 5_001, 20_000])
def test_any_number_of_days_is_sent_in_events_within_the_limit_of_eventbridge(world, run, count):
    days = [str(date(1970, 1, 1) + timedelta(days=n)) for n in range(count)]
    good, bad = (source.source_id for source in run.sources)
    run.finish_jobs({good: ACCEPTED, bad: TOO_MANY_BAD_ROWS}, days=days)
    assert run.settle() == 0
    sent = world.sent_events()
    assert sorted(day for event in sent for day in event["detail"]["days"]) == days
    assert all(len(json.dumps(event)) < 256_000 for event in sent)
    assert len(sent) == max(1, -(-count // 5_000))
    assert {(event["detail"]["version"], event["detail"]["rows_accepted"]) for event in sent} == {(7, 8)}


def test_an_event_that_eventbridge_rejects_fails_the_step_and_is_sent_by_a_retry(world, run):
    class RejectingEvents:
        def put_events(self, **_):
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}

    with pytest.raises(EventRefused, match="ThrottlingException"):
        replace(world.settlement, events=RejectingEvents()).settle(run.folder.manifest_uri, run.arn, RUN_ID, always)
    assert world.sent_events() == []
    run.settle()
    assert len(world.sent_events()) == 1


# ── Reference files ──


def run_with_songs(world, outcome, left_out=None):
    """Return a run of a streams file and a songs file after its jobs; discard earlier alerts and events."""
    streams, songs = world.upload(), world.upload(b"songs", f"reference/songs/{world.name('songs')}.csv")
    run = Run.of(world, streams, songs).claimed()
    run.finish_jobs({songs.source_id: outcome})
    pin_reference(
        world.s3, run.folder, run.name, PinnedReference("reference/place", 1, "digest", left_out=left_out or {})
    )
    world.sent_alerts()
    world.sent_events()
    return run


def test_rows_of_reference_files_are_recorded_but_are_not_listens(world):
    run = run_with_songs(world, SourceOutcome(4, 3, {"missing_genre": 1}, []))
    run.settle()
    streams, songs = map(world.entry, run.sources)
    assert (songs.status, songs.rows_read, songs.rows_accepted) == (Status.PUBLISHED, 4, 3)
    assert songs.rejected == {"missing_genre": 1}
    assert streams.songs_digest == "digest"
    [event] = world.sent_events()
    assert (event["detail"]["sources"], event["detail"]["rows_accepted"]) == (2, 8)


def test_a_songs_file_with_too_many_bad_rows_is_quarantined_at_its_landing_key(world):
    run = run_with_songs(world, SourceOutcome(4, 0, {"bad_duration": 3}, [], "too_many_bad_rows"))
    run.settle()
    streams, songs = map(world.entry, run.sources)
    assert (songs.status, songs.archive_key, songs.stays_at_landing_key) == (Status.QUARANTINED, "", True)
    assert world.is_at_landing_key(songs.source)
    assert streams.status is Status.PUBLISHED
    [alert] = world.sent_alerts()
    assert "3 of 4 rows are malformed (75.0%, limit 20.0%): 3 bad_duration" in alert["Message"]
    assert deliver(world, request_message(songs, Action.REDRIVE)).outcomes
    assert world.is_at_landing_key(songs.source)


def test_a_songs_file_that_cannot_be_read_fails_alone_with_one_alert(world):
    run = run_with_songs(world, SourceOutcome(0, 0, {}, [], failure="unreadable"))
    assert [run.settle(), run.settle()] == [0, 0]
    streams, songs = map(world.entry, run.sources)
    assert (streams.status, songs.status, songs.reason) == (Status.PUBLISHED, Status.FAILED, "unreadable")
    [alert] = world.sent_alerts()
    assert alert["Subject"] == "music-streams: 1 reference file not read"
    assert f"{songs.source.uri}: S3 does not return its bytes" in alert["Message"]
    assert f"source_id {songs.source.source_id}" in alert["Message"]
    assert "docs/runbooks.md#a-reference-file-is-not-read" in alert["Message"]
    run.archive()
    assert world.status(streams.source) is Status.ARCHIVED


def test_a_published_songs_file_that_runs_leave_out_causes_one_alert(world):
    archived = world.upload(b"songs", "reference/songs/archived.csv")
    world.put_entry(archived, Status.ARCHIVED)
    for expected in (1, 0):
        run = run_with_songs(world, ACCEPTED, {archived.source_id: f"{archived.uri}: it is archived"})
        run.settle()
        alerts = world.sent_alerts()
        assert len(alerts) == expected
        assert all(f"{archived.uri}: it is archived (source_id {archived.source_id})" in a["Message"] for a in alerts)
    assert world.entry(archived).left_out == f"{archived.uri}: it is archived"


@before_and_after
def test_every_alert_about_a_songs_file_is_sent_even_if_the_step_crashes_at_any_call(world, is_done):
    for call in itertools.count(1):
        archived = world.upload(b"songs", f"reference/songs/{world.name('archived')}.csv")
        world.put_entry(archived, Status.ARCHIVED)
        failed = SourceOutcome(0, 0, {}, [], failure="object_gone")
        run = run_with_songs(world, failed, {archived.source_id: f"{archived.uri}: it is archived"})
        if not world.crashes(run.settle, call, is_done=is_done):
            break
        run.settle()
        expected = {run.sources[1].source_id, archived.source_id}
        assert alerts_by_source(world.sent_alerts()).keys() == expected, call
        assert world.entry(archived).left_out, call
    assert call > 10, "all crash points were tried"
