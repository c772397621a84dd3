"""After the jobs each source of the run is published, or quarantined for its rows."""

import itertools
import json
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from music_streams.aws.slices import SLICE
from music_streams.errors import EventRefused, RunIsOver
from music_streams.state.run_files import SourceOutcome, Summary, read_summary, write_result
from music_streams.state.statuses import Status
from tests.integration.domain.world import GOOD, Crash, always

RUN_ID = "jr_1"
ACCEPTED = SourceOutcome(10, 8, {"unknown_track": 2}, ["2024-06-25"])
TOO_BAD = SourceOutcome(10, 0, {"bad_user_id": 7, "duplicate": 1}, [], "too_many_bad_rows")


class Run:
    """A run of one good and one bad file, its jobs done."""

    def __init__(self, world):
        self.world = world
        self.good, self.bad = world.upload(), world.upload()
        folder = world.batch(self.good, self.bad)
        self.arn = world.execution_arn(f"{folder.batch_id}-1")
        world.batch(self.good, self.bad, status=Status.RUNNING, execution_arn=self.arn)
        outcomes = {self.good.source_id: ACCEPTED, self.bad.source_id: TOO_BAD}
        self.summary = Summary(
            folder.batch_id, f"{folder.batch_id}-1", 7, "uuid", ["2024-06-25"], f"metrics/{RUN_ID}", outcomes
        )
        write_result(world.s3, folder, RUN_ID, self.summary)
        self.folder = folder

    def settle(self):
        return self.world.settlement.settle(self.folder.manifest_uri, self.arn, RUN_ID, always)


def test_a_good_source_is_published_with_its_counts(world):
    run = Run(world)
    run.settle()
    item = world.item(run.good)
    assert item["status"] == "PUBLISHED"
    assert (item["rows_read"], item["rows_accepted"], item["rejected"]) == (10, 8, {"unknown_track": 2})
    assert item["days"] == ["2024-06-25"]
    assert world.has(run.good)


def test_a_source_of_too_many_bad_rows_is_quarantined_with_its_counts_and_an_alert(world):
    run = Run(world)
    world.sent_alerts()
    run.settle()
    entry = world.entry(run.bad)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, "too_many_bad_rows")
    assert world.content(entry.archive_key) == GOOD
    assert not world.has(run.bad)
    assert world.item(run.bad)["rejected"] == {"bad_user_id": 7, "duplicate": 1}
    (alert,) = world.sent_alerts()
    assert "7 bad_user_id" in alert["Message"]


def test_the_event_tells_what_was_published(world):
    run = Run(world)
    detail = {"batch_id": run.folder.batch_id, "version": 7, "days": ["2024-06-25"], "sources": 1, "rows_accepted": 8}
    world.sent_events()
    assert [run.settle() for _ in range(2)] == [0, 0]
    assert [event["detail"] for event in world.sent_events()] == [detail, detail]


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_a_settlement_may_die_anywhere_and_be_repeated(world, is_done):
    for call in itertools.count(1):
        run = Run(world)
        world.sent_alerts()
        world.sent_events()
        try:
            with world.crash_at(call, is_done=is_done):
                run.settle()
            break
        except Crash:
            run.settle()
        assert (world.status(run.good), world.status(run.bad)) == (Status.PUBLISHED, Status.QUARANTINED)
        assert world.content(run.bad.kept_key("quarantine")) == GOOD
        assert not world.has(run.bad), call
        assert world.sent_alerts(), call
        assert world.sent_events(), call
    assert call > 10


class BadRun:
    """A run that refuses all its files: new ones, and such as were released from quarantine."""

    def __init__(self, world, new, released):
        self.world = world
        self.sources = [world.upload() for _ in range(new + released)]
        folder = world.batch(*self.sources)
        self.arn = world.execution_arn(f"{folder.batch_id}-1")
        about = {"status": Status.RUNNING, "batch_id": folder.batch_id, "execution_arn": self.arn}
        world.batch(*self.sources, status=Status.RUNNING, execution_arn=self.arn)
        for source in self.sources[new:]:
            kept = source.kept_key("quarantine")
            world.s3.put_object(Bucket=source.bucket, Key=kept, Body=GOOD)
            world.s3.delete_object(Bucket=source.bucket, Key=source.key, VersionId=source.version_id)
            world.put_entry(source, archive_key=kept, **about)
        outcomes = {source.source_id: TOO_BAD for source in self.sources}
        name = f"{folder.batch_id}-1"
        summary = Summary(folder.batch_id, name, 7, "uuid", [], f"metrics/{RUN_ID}", outcomes)
        write_result(world.s3, folder, RUN_ID, summary)
        self.folder = folder

    def settle(self, has_time=always):
        return self.world.settlement.settle(self.folder.manifest_uri, self.arn, RUN_ID, has_time)


def named(alerts):
    return set(re.findall(r"source_id ([0-9a-f]{32})", "\n".join(alert["Message"] for alert in alerts)))


def test_the_bad_files_of_a_run_are_one_alert(world):
    run = BadRun(world, new=20, released=2)
    world.sent_alerts()
    assert run.settle() == 0
    [alert] = world.sent_alerts()
    assert alert["Subject"] == "music-streams: too_many_bad_rows: 22 files"
    assert named([alert]) == {source.source_id for source in run.sources}
    assert run.settle() == 0
    assert world.sent_alerts() == []


def test_each_call_of_the_step_announces_what_it_quarantined(world):
    run = BadRun(world, new=SLICE + 1, released=0)
    world.sent_alerts()
    assert run.settle(has_time=lambda: False) == 1
    [first] = world.sent_alerts()
    assert run.settle(has_time=lambda: False) == 0
    [second] = world.sent_alerts()
    assert (len(re.findall("source_id", second["Message"])), "and 14 more" in first["Message"]) == (1, True)


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_no_alert_of_a_run_is_lost_whenever_the_step_dies(world, is_done):
    for call in itertools.count(1):
        run = BadRun(world, new=2, released=1)
        world.sent_alerts()
        try:
            with world.crash_at(call, is_done=is_done):
                run.settle()
            break
        except Crash:
            world.quarantine._announcements.clear()  # what a process had in memory is gone with it
            run.settle()
        assert named(world.sent_alerts()) == {source.source_id for source in run.sources}, call
        for source in run.sources:
            assert world.status(source) is Status.QUARANTINED, call
            assert world.content(source.kept_key("quarantine")) == GOOD, call
            assert not world.has(source), call
    assert call > 15


def test_the_summary_of_the_run_is_that_of_the_job_run_whose_metrics_were_loaded(world):
    run = Run(world)
    lost = replace(run.summary, metrics="metrics/jr_2", sources={})
    write_result(world.s3, run.folder, "jr_2", lost)
    run.settle()
    assert read_summary(world.s3, run.folder) == run.summary


def test_what_another_execution_holds_is_left_alone(world):
    run = Run(world)
    world.put_entry(run.good, Status.RUNNING, batch_id="other", execution_arn=world.execution_arn("other-1"))
    before = world.item(run.good)
    run.settle()
    assert world.item(run.good) == before


def test_a_file_that_spark_could_not_read_is_quarantined_and_says_so(world):
    run = Run(world)
    outcomes = run.summary.sources | {run.bad.source_id: SourceOutcome(0, 0, {}, [], "not_csv")}
    write_result(world.s3, run.folder, RUN_ID, replace(run.summary, sources=outcomes))
    world.sent_alerts()
    run.settle()
    assert (world.status(run.bad), world.entry(run.bad).reason) == (Status.QUARANTINED, "not_csv")
    [alert] = world.sent_alerts()
    assert "Spark could not read it" in alert["Message"]
    assert world.status(run.good) is Status.PUBLISHED


def test_a_file_of_too_many_days_is_quarantined_with_its_counts_and_says_which_limit_it_exceeds(world):
    run = Run(world)
    refused = SourceOutcome(10, 0, {"duplicate": 1}, [], "too_many_days")
    write_result(
        world.s3, run.folder, RUN_ID, replace(run.summary, sources={**run.summary.sources, run.bad.source_id: refused})
    )
    world.sent_alerts()
    run.settle()
    entry = world.entry(run.bad)
    assert (entry.status, entry.reason, entry.days) == (Status.QUARANTINED, "too_many_days", [])
    assert (entry.rows_read, entry.rows_accepted, entry.rejected) == (10, 0, {"duplicate": 1})
    [alert] = world.sent_alerts()
    assert "MaxDaysPerFile" in alert["Message"]
    assert "release it" in alert["Message"]


def test_a_run_that_was_recorded_as_failed_settles_nothing(world):
    run = Run(world)
    world.put_entry(run.bad, Status.FAILED, batch_id=run.folder.batch_id, execution_arn=run.arn)
    before = world.item(run.good)
    world.sent_events()
    with pytest.raises(RunIsOver, match="redrive"):
        run.settle()
    assert world.item(run.good) == before
    assert world.sent_events() == []


TRANSFORM = {"ExecutionTime": 90, "MaxCapacity": 2.0}
LOAD = {"ExecutionTime": 20, "MaxCapacity": 0.0625}


def settle_with_costs(run, *job_runs):
    world = run.world
    return world.settlement.settle(run.folder.manifest_uri, run.arn, RUN_ID, always, job_runs or (TRANSFORM, LOAD))


def costs(world, *sources):
    return [(e.cost_micro_usd, e.total_cost_micro_usd) for e in map(world.entry, sources)]


def test_every_source_of_a_run_is_told_its_share_of_the_cost_whatever_became_of_it(world):
    run = Run(world)
    settle_with_costs(run)
    [(good, _), (bad, _)] = costs(world, run.good, run.bad)
    billed = 90 * 2 + 60 * 0.0625  # DPU-seconds: a minute at least
    assert good + bad > billed / 3_600 * 0.44 * 1_000_000
    assert abs(good - bad) <= 1, "they are of the same size"


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_a_settlement_that_died_and_is_repeated_adds_no_cost_twice(world, is_done):
    whole = Run(world)
    settle_with_costs(whole)
    expected = costs(world, whole.good, whole.bad)
    for call in itertools.count(1):
        run = Run(world)
        try:
            with world.crash_at(call, is_done=is_done):
                settle_with_costs(run)
            break
        except Crash:
            settle_with_costs(run)
            settle_with_costs(run)
        assert sum(cost for cost, _ in costs(world, run.good, run.bad)) == sum(cost for cost, _ in expected), call
        assert all(cost == total for cost, total in costs(world, run.good, run.bad)), call


def test_a_later_run_has_its_own_cost_and_adds_it_to_the_total(world):
    run = Run(world)
    settle_with_costs(run)
    [(first, _)] = costs(world, run.good)
    again = world.execution_arn(f"{run.folder.batch_id}-2")
    kept = {"first_published_at": world.entry(run.good).first_published_at, "total_cost_micro_usd": first}
    world.batch(run.good, status=Status.RUNNING, execution_arn=again, attempt=2, **kept)
    folder = world.batch(run.good, status=Status.RUNNING, execution_arn=again, attempt=2, **kept)
    alone = replace(run.summary, execution=f"{run.folder.batch_id}-2", sources={run.good.source_id: ACCEPTED})
    write_result(world.s3, folder, RUN_ID, alone)
    world.settlement.settle(folder.manifest_uri, again, RUN_ID, always, (TRANSFORM, LOAD))
    [(second, total)] = costs(world, run.good)
    assert second > first, "it was alone"
    assert total == first + second


def test_a_job_run_that_does_not_tell_what_is_billed_keeps_nothing_from_being_published(world):
    run = Run(world)
    assert settle_with_costs(run, {"ExecutionTime": 90}, LOAD) == 0
    assert world.status(run.good) is Status.PUBLISHED
    assert "cost_micro_usd" not in world.item(run.good)


def days_from(first: date, count: int) -> list[str]:
    return [str(first + timedelta(days=n)) for n in range(count)]


@pytest.mark.parametrize("count", [5_000, 5_001, 20_000])
def test_so_many_days_come_in_events_that_eventbridge_takes(world, count):
    run = Run(world)
    days = days_from(date(1970, 1, 1), count)
    write_result(world.s3, run.folder, RUN_ID, replace(run.summary, days=days))
    world.sent_events()
    assert run.settle() == 0
    sent = world.sent_events()
    assert sorted(day for event in sent for day in event["detail"]["days"]) == days
    assert all(len(json.dumps(event)) < 256_000 for event in sent)
    assert len(sent) == -(-count // 5_000)
    assert {(event["detail"]["version"], event["detail"]["rows_accepted"]) for event in sent} == {(7, 8)}


def test_a_run_without_changed_days_announces_itself_too(world):
    run = Run(world)
    write_result(world.s3, run.folder, RUN_ID, replace(run.summary, days=[], version=0))
    world.sent_events()
    run.settle()
    [event] = world.sent_events()
    assert event["detail"]["days"] == []


def test_an_event_that_was_refused_fails_the_step_and_is_sent_by_a_repeat(world):
    run = Run(world)

    class Refusing:
        def put_events(self, **_):
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}

    world.sent_events()
    with pytest.raises(EventRefused, match="ThrottlingException"):
        replace(world.settlement, events=Refusing()).settle(run.folder.manifest_uri, run.arn, RUN_ID, always)
    assert world.sent_events() == []
    run.settle()
    assert len(world.sent_events()) == 1
