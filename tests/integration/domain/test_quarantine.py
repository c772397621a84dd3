"""A quarantined file moves from incoming/ to quarantine/ with its reason, and an alert reports it."""

import itertools
import json
from functools import partial
from itertools import zip_longest

import pytest
from botocore.exceptions import ClientError

from music_streams.errors import ObjectGone
from music_streams.reconcile.stalled import StalledFinder
from music_streams.run import quarantine
from music_streams.state.statuses import Status
from music_streams.validation.file_verdicts import Verdict
from tests.integration.domain.validate import Validate, deliver, message
from tests.integration.domain.world import ALWAYS_EXPIRED, GOOD, LANDING, alerts_by_source, before_and_after


def received(world, **upload):
    claimed = world.ledger.claim(world.upload(**upload), 300)
    assert claimed is not None
    return claimed


def quarantined(world, claimed, verdict=Verdict.NOT_CSV, detail="the detail"):
    """Quarantine a file in an invocation without other files."""
    world.quarantine.add(claimed, verdict, detail)
    world.quarantine.flush()


def finish(world, source):
    """Finish a quarantine as an invocation does that receives the event again."""
    world.quarantine.finish(world.entry(source))
    world.quarantine.flush()


def reason_beside(world, kept_key):
    return json.loads(world.content(kept_key.rsplit("/", 1)[0] + "/reason.json"))


@pytest.mark.parametrize("verdict", Verdict)
def test_a_file_moves_to_quarantine_with_its_reason_and_an_alert(world, verdict):
    claimed = received(world)
    world.sent_alerts()
    quarantined(world, claimed, verdict)
    entry = world.entry(claimed.source)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, verdict)
    assert entry.archive_key == claimed.source.kept_key("quarantine")
    assert world.content(entry.archive_key) == GOOD
    assert not world.is_at_landing_key(claimed.source)
    (alert,) = world.sent_alerts()
    assert verdict in alert["Subject"]
    assert all(text in alert["Message"] for text in (claimed.source.uri, "the detail", "What to do: "))
    reason = reason_beside(world, entry.archive_key)
    assert (reason["verdict"], reason["detail"], reason["object"]) == (verdict, "the detail", claimed.source.uri)
    assert reason["what_to_do"]
    finish(world, claimed.source)
    assert world.sent_alerts() == []


def test_a_subject_is_short_ascii_although_the_name_is_not(world):
    claimed = received(world, key="incoming/" + "é𝄞" * 60 + ".csv")
    world.sent_alerts()
    quarantined(world, claimed)
    (alert,) = world.sent_alerts()
    assert alert["Subject"].isascii()
    assert alert["Subject"].isprintable()
    assert len(alert["Subject"]) < 101
    assert claimed.source.uri in alert["Message"]


@pytest.mark.parametrize("verdict", [Verdict.TOO_LARGE, Verdict.BAD_KEY])
def test_a_file_that_is_too_large_to_copy_is_quarantined_where_it_landed(world, monkeypatch, verdict):
    monkeypatch.setattr(quarantine, "MAX_COPIED_BYTES", len(GOOD) - 1)
    claimed = received(world)
    world.sent_alerts()
    quarantined(world, claimed, verdict)
    entry = world.entry(claimed.source)
    assert (entry.status, entry.archive_key, entry.stays_at_landing_key) == (Status.QUARANTINED, "", True)
    assert entry.place == claimed.source
    assert reason_beside(world, claimed.source.kept_key("quarantine"))["verdict"] == verdict
    assert len(world.sent_alerts()) == 1
    finish(world, claimed.source)
    assert world.is_at_landing_key(claimed.source)
    assert world.sent_alerts() == []
    finder = StalledFinder(world.s3, world.ledger, world.state_machine, LANDING, 0)
    assert finder.of_leftover(entry) is None


def test_a_file_of_the_largest_size_that_s3_copies_in_one_call_moves_to_quarantine(world, monkeypatch):
    assert quarantine.MAX_COPIED_BYTES == 5 * 1024**3
    monkeypatch.setattr(quarantine, "MAX_COPIED_BYTES", len(GOOD))
    claimed = received(world)
    quarantined(world, claimed, Verdict.TOO_LARGE)
    assert world.content(world.entry(claimed.source).archive_key) == GOOD
    assert not world.is_at_landing_key(claimed.source)


def test_a_file_named_reason_json_is_kept_beside_its_reason(world):
    claimed = received(world, key="incoming/reason.json", content=b"the file itself")
    quarantined(world, claimed, Verdict.BAD_KEY)
    kept_key = world.entry(claimed.source).archive_key
    assert world.content(kept_key) == b"the file itself"
    assert reason_beside(world, kept_key)["verdict"] == "bad_key"


def test_the_holder_of_a_replaced_claim_sends_no_alert_and_deletes_nothing(world):
    earlier = received(world)
    assert world.ledger.claim(earlier.source, ALWAYS_EXPIRED)
    world.sent_alerts()
    quarantined(world, earlier)
    assert world.sent_alerts() == []
    assert world.is_at_landing_key(earlier.source)
    assert world.status(earlier.source) is Status.RECEIVED


def test_a_version_that_is_gone_cannot_be_quarantined(world):
    claimed = received(world)
    world.s3.delete_object(Bucket=LANDING, Key=claimed.source.key, VersionId=claimed.source.version_id)
    with pytest.raises(ObjectGone):
        world.quarantine.add(claimed, Verdict.BAD_KEY, "")
    assert world.status(claimed.source) is Status.RECEIVED


@before_and_after
def test_a_quarantine_is_idempotent_after_a_crash_at_any_call(world, is_done):
    for call in itertools.count(1):
        claimed = received(world)
        world.sent_alerts()
        if not world.crashes(partial(quarantined, world, claimed), call, is_done=is_done):
            break
        # The next delivery of the event completes the quarantine.
        if world.status(claimed.source) is Status.RECEIVED:
            quarantined(world, world.ledger.claim(claimed.source, ALWAYS_EXPIRED))
        else:
            finish(world, claimed.source)
        entry = world.entry(claimed.source)
        assert entry.status is Status.QUARANTINED, call
        assert world.content(entry.archive_key) == GOOD
        assert reason_beside(world, entry.archive_key)["verdict"] == "not_csv"
        assert not world.is_at_landing_key(claimed.source), call
        assert world.sent_alerts(), call
    assert call > len(["copy", "copy", "proof", "proof", "reason", "ledger", "alert", "removal"])


def test_a_copy_that_is_left_in_the_archive_is_deleted_after_an_alert(world):
    claimed = received(world)
    quarantined(world, claimed)
    entry = world.entry(claimed.source)
    left = claimed.source.kept_key("archive")  # of an archived file that its replay rejected
    world.s3.put_object(Bucket=LANDING, Key=left, Body=GOOD)
    world.sent_alerts()
    finish(world, claimed.source)
    assert (world.content(left), world.content(entry.archive_key)) == (None, GOOD)
    [alert] = world.sent_alerts()
    assert claimed.source.uri in alert["Message"]


def test_a_batch_of_bad_files_causes_one_alert_for_each_reason(world):
    empty = [world.upload(b"") for _ in range(60)]
    broken = [world.upload(b"\xff\n") for _ in range(3)]
    world.sent_alerts()
    deliver(world, *(message(source) for pair in zip_longest(empty, broken) for source in pair if source))
    alerts = {alert["Subject"]: alert["Message"].split("\n") for alert in world.sent_alerts()}
    assert alerts.keys() == {"music-streams: empty_file: 60 files", "music-streams: not_utf8: 3 files"}
    _, heading, advice, runbook, *lines = alerts["music-streams: empty_file: 60 files"]
    assert heading == "60 files quarantined: empty_file."
    assert advice.startswith("What to do: ")
    assert runbook == "Runbook: docs/runbooks.md#a-file-was-quarantined"
    assert [line.partition(": ")[0] for line in lines[:-1]] == [source.uri for source in empty[:50]]
    assert lines[-1] == "and 10 more"
    assert not any(world.is_at_landing_key(source) for source in empty + broken)


def test_an_event_that_is_twice_in_a_batch_is_one_line_of_the_alert(world):
    source = world.upload(b"")
    world.sent_alerts()
    deliver(world, message(source), message(source))
    [alert] = world.sent_alerts()
    assert alerts_by_source([alert]) == {source.source_id: 1}
    assert "contains only blank lines" in alert["Message"]


@before_and_after
def test_every_alert_of_a_batch_is_sent_although_the_invocation_crashes_at_any_call(world, is_done):
    for call in itertools.count(1):
        sources = [world.upload(content) for content in (b"", b"\xff\n", b"", GOOD)]
        validate = Validate(world, *map(message, sources))
        world.sent_alerts()
        if not world.crashes(validate.deliver, call, is_done=is_done):
            break
        world.quarantine._announcements.clear()  # The crash lost the process's memory.
        validate.deliver(ALWAYS_EXPIRED)
        assert alerts_by_source(world.sent_alerts()).keys() == {source.source_id for source in sources[:3]}, call
        for source in sources[:3]:
            assert world.status(source) is Status.QUARANTINED, call
            assert not world.is_at_landing_key(source), call
        assert world.execution_input(f"{world.entry(sources[3]).batch_id}-1"), call
    assert call > 20


@pytest.mark.parametrize("operation", ["Publish", "DeleteObject"])
def test_a_failed_alert_or_deletion_does_not_delay_good_files_and_is_retried(world, operation):
    bad, good = world.upload(b""), world.upload()
    validate = Validate(world, message(bad), message(good))
    world.sent_alerts()
    with world.refusing(operation), pytest.raises(ClientError):
        validate.deliver()
    assert world.execution_input(f"{world.entry(good).batch_id}-1")
    assert world.is_at_landing_key(bad)
    validate.deliver()
    assert not world.is_at_landing_key(bad)
    assert alerts_by_source(world.sent_alerts())[bad.source_id]


def test_alerts_of_bad_files_are_sent_although_no_execution_can_be_started(world):
    bad, good = world.upload(b""), world.upload()
    world.sent_alerts()
    with world.refusing("StartExecution"), pytest.raises(ClientError):
        deliver(world, message(bad), message(good))
    assert alerts_by_source(world.sent_alerts()) == {bad.source_id: 1}
    assert not world.is_at_landing_key(bad)


def test_a_long_detail_is_shortened_in_the_reason(world):
    claimed = received(world)
    quarantined(world, claimed, detail="column " + "x" * 64 * 1024 + " twice")
    detail = reason_beside(world, world.entry(claimed.source).archive_key)["detail"]
    assert len(detail) == 1_000
    assert detail.startswith("column x")
    assert detail.endswith("x twice")


def test_a_reason_contains_no_control_characters(world):
    claimed = received(world, key=f"incoming/{world.name('é')}\u009b2J\u202e.csv")
    quarantined(world, claimed, detail="a\u009bb")
    stored = world.content(claimed.source.kept_key("quarantine").rsplit("/", 1)[0] + "/reason.json")
    assert stored.replace(b"\n", b"").decode("ascii").isprintable()
    assert json.loads(stored)["object"] == claimed.source.uri
