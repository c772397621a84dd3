"""A quarantined file lies in quarantine/ with its reason, the operators know of it, and incoming/ is rid of it."""

import itertools
import json

import pytest

from music_streams import quarantine
from music_streams.errors import ObjectGone
from music_streams.ledger import Status
from music_streams.repair import Repairs
from music_streams.verdicts import Verdict
from tests.integration.domain.world import ALWAYS_EXPIRED, GOOD, LANDING, Crash


def received(world, **upload):
    claimed = world.ledger.receive(world.upload(**upload), 300)
    assert claimed is not None
    return claimed


def reason_beside(world, kept_key):
    return json.loads(world.content(kept_key.rsplit("/", 1)[0] + "/reason.json"))


@pytest.mark.parametrize("verdict", Verdict)
def test_a_file_is_kept_with_its_reason_and_announced(world, verdict):
    claimed = received(world)
    world.sent_alerts()
    world.quarantine.take(claimed, verdict, "the detail")
    entry = world.entry(claimed.source)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, verdict)
    assert entry.archive_key == claimed.source.kept_key("quarantine")
    assert world.content(entry.archive_key) == GOOD
    assert not world.has(claimed.source)
    (alert,) = world.sent_alerts()
    assert verdict in alert["Subject"]
    assert all(text in alert["Message"] for text in (claimed.source.uri, "the detail", "What to do: "))
    reason = reason_beside(world, entry.archive_key)
    assert reason["verdict"] == verdict
    assert reason["detail"] == "the detail"
    assert reason["object"] == claimed.source.uri
    assert reason["what_to_do"]


def test_a_subject_of_strange_letters_is_announced(world):
    claimed = received(world, key="incoming/" + "é𝄞\t" * 60 + ".csv")
    world.sent_alerts()
    world.quarantine.take(claimed, Verdict.NOT_CSV, "")
    (alert,) = world.sent_alerts()
    assert alert["Subject"].isascii()
    assert alert["Subject"].isprintable()
    assert len(alert["Subject"]) < 101
    assert claimed.source.uri in alert["Message"]


@pytest.mark.parametrize("verdict", [Verdict.TOO_LARGE, Verdict.BAD_KEY])
def test_a_file_too_large_to_be_copied_is_quarantined_where_it_lies(world, monkeypatch, verdict):
    monkeypatch.setattr(quarantine, "MAX_COPIED_BYTES", len(GOOD) - 1)
    claimed = received(world)
    world.sent_alerts()
    world.quarantine.take(claimed, verdict, "the detail")
    entry = world.entry(claimed.source)
    assert (entry.status, entry.archive_key, entry.stays_in_place) == (Status.QUARANTINED, "", True)
    assert entry.place == claimed.source
    assert reason_beside(world, claimed.source.kept_key("quarantine"))["verdict"] == verdict
    assert len(world.sent_alerts()) == 1
    world.quarantine.finish(entry)  # as when its event comes again
    assert world.has(claimed.source)
    assert world.sent_alerts() == []
    found = Repairs(world.s3, world.ledger, world.state_machine, LANDING, 0)
    assert found.of_leftover(entry) is None


def test_a_file_named_reason_json_is_kept_beside_its_reason(world):
    claimed = received(world, key="incoming/reason.json", content=b"the file itself")
    world.quarantine.take(claimed, Verdict.BAD_KEY, "")
    kept_key = world.entry(claimed.source).archive_key
    assert world.content(kept_key) == b"the file itself"
    assert reason_beside(world, kept_key)["verdict"] == "bad_key"


def test_who_lost_the_claim_neither_announces_nor_removes(world):
    earlier = received(world)
    assert world.ledger.receive(earlier.source, ALWAYS_EXPIRED)
    world.sent_alerts()
    world.quarantine.take(earlier, Verdict.NOT_CSV, "")
    assert world.sent_alerts() == []
    assert world.has(earlier.source)
    assert world.status(earlier.source) is Status.RECEIVED


def test_a_version_that_is_gone_cannot_be_kept(world):
    claimed = received(world)
    world.s3.delete_object(Bucket=LANDING, Key=claimed.source.key, VersionId=claimed.source.version_id)
    with pytest.raises(ObjectGone):
        world.quarantine.take(claimed, Verdict.BAD_KEY, "")
    assert world.status(claimed.source) is Status.RECEIVED


@pytest.mark.parametrize("is_done", [False, True], ids=["before a call", "after a call"])
def test_a_quarantine_may_die_anywhere_and_be_repeated(world, is_done):
    for call in itertools.count(1):
        claimed = received(world)
        world.sent_alerts()
        try:
            with world.crash_at(call, is_done=is_done):
                world.quarantine.take(claimed, Verdict.NOT_CSV, "the detail")
            break
        except Crash:
            # As the event's next delivery does it.
            if world.status(claimed.source) is Status.RECEIVED:
                again = world.ledger.receive(claimed.source, ALWAYS_EXPIRED)
                world.quarantine.take(again, Verdict.NOT_CSV, "the detail")
            else:
                world.quarantine.finish(world.entry(claimed.source))
        entry = world.entry(claimed.source)
        assert entry.status is Status.QUARANTINED, call
        assert world.content(entry.archive_key) == GOOD
        assert reason_beside(world, entry.archive_key)["verdict"] == "not_csv"
        assert not world.has(claimed.source), call
        assert world.sent_alerts(), call
    assert call > len(["copy", "copy", "proof", "proof", "reason", "ledger", "alert", "removal"])


def test_finishing_what_is_finished_is_silent(world):
    claimed = received(world)
    world.quarantine.take(claimed, Verdict.NOT_CSV, "")
    world.sent_alerts()
    world.quarantine.finish(world.entry(claimed.source))
    assert world.sent_alerts() == []
