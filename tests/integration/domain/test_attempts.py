"""A request begins a new attempt or continues a stalled source, once, however often it is delivered."""

import gzip
import itertools
from collections.abc import Callable
from functools import partial

import pytest

from music_streams import clock
from music_streams.errors import BadEvent, JobRunsAlive
from music_streams.ingest.outcomes import Outcome
from music_streams.reconcile.stalled import request_message
from music_streams.state.ledger import Entry
from music_streams.state.requests import Action, Forget, Rebuild, SourceRequest, to_message
from music_streams.state.run_files import RunFolder, SourceOutcome, read_claimed, read_manifest
from music_streams.state.sources import Treatment, batch_id_of
from music_streams.state.statuses import Status
from tests.integration.domain.run import DAY, NOT_CSV, TOO_MANY_BAD_ROWS, Run
from tests.integration.domain.stored_sources import alive, half_retracted, quarantined_in_place, stored_entry
from tests.integration.domain.validate import Validate, ample_time, concurrently, deliver, message
from tests.integration.domain.world import ALWAYS_EXPIRED, GOOD, LAKE, World

NEW_ATTEMPTS = {
    (Action.REDRIVE, Status.FAILED): Treatment.NORMAL,
    (Action.REPLAY, Status.ARCHIVED): Treatment.NORMAL,
    (Action.RELEASE, Status.QUARANTINED): Treatment.ACCEPT_BAD_ROWS,
    (Action.RETRACT, Status.ARCHIVED): Treatment.RETRACT,
    (Action.RETRACT, Status.FAILED): Treatment.RETRACT,
    (Action.PUT_ASIDE, Status.FAILED): Treatment.PUT_ASIDE,
}
each_new_attempt = pytest.mark.parametrize(
    ("action", "status", "treatment"),
    [(action, status, treatment) for (action, status), treatment in NEW_ATTEMPTS.items()],
    ids=[f"{action}-{status}" for action, status in NEW_ATTEMPTS],
)


def check(world, entry, status, attempt):
    """The source has a final status, and one copy of it is left."""
    current = world.entry(entry.source)
    assert (current.status, current.attempt) == (status, attempt)
    assert not world.is_at_landing_key(entry.source)
    copies = [world.content(entry.source.kept_key(folder)) for folder in ("archive", "quarantine")]
    assert copies == ([None, GOOD] if status is Status.QUARANTINED else [GOOD, None])


# ── A new attempt ──


@each_new_attempt
def test_a_new_attempt_reads_the_source_from_its_location_and_leaves_one_copy_in_the_archive(
    world, action, status, treatment
):
    entry = stored_entry(world, status)
    source = entry.source
    assert deliver(world, request_message(entry, action)).outcomes == [Outcome.RENEWED]
    renewed = world.entry(source)
    assert (renewed.status, renewed.attempt, renewed.treatment) == (Status.VALID, 2, treatment)
    assert renewed.batch_id == batch_id_of([source.source_id])
    assert (renewed.reason, renewed.execution_arn) == ("", "")
    run = Run.holding(world, source)
    [listed] = read_manifest(world.s3, run.folder).sources
    assert listed.treatment == treatment
    staged = world.content(run.folder.key(f"input/{listed.input}"), LAKE)
    assert staged == (GOOD if treatment.adds_rows else None)
    assert run.name in world.executions()
    run.go()
    check(world, entry, Status.RETRACTED if treatment is Treatment.RETRACT else Status.ARCHIVED, 2)
    assert world.entry(source).archive_key == source.kept_key("archive")


@pytest.mark.parametrize("key", ["reference/songs/r.csv", "reference/users/r.csv"])
def test_a_new_attempt_of_a_reference_file_reads_it_where_it_landed(world, key):
    content = b"user_id,user_country,track_id,track_name,artists,duration_ms,track_genre\n"
    source = world.upload(content, key)
    deliver(world, message(source))
    run = Run.holding(world, source).claimed()
    run.fail()
    run.end()
    assert deliver(world, request_message(world.entry(source), Action.REDRIVE)).outcomes == [Outcome.RENEWED]
    Run.holding(world, source).go()
    assert world.status(source) is Status.ARCHIVED
    assert world.is_at_landing_key(source)


@pytest.mark.parametrize("verdict", ["too_many_bad_rows", "not_csv"])
def test_a_reference_file_that_a_run_quarantined_is_released_at_its_landing_key(world, verdict):
    source = world.upload(b"user_id,user_country\n", "reference/users/a.csv")
    world.batch(source, status=Status.QUARANTINED, reason=verdict, archive_key="")
    assert deliver(world, request_message(world.entry(source), Action.RELEASE)).outcomes == [Outcome.RENEWED]
    run = Run.holding(world, source)
    [listed] = read_manifest(world.s3, run.folder).reference
    assert listed.treatment == (Treatment.ACCEPT_BAD_ROWS if verdict == "too_many_bad_rows" else "")
    run.go()
    assert world.status(source) is Status.ARCHIVED
    assert world.is_at_landing_key(source)


def test_sources_that_are_requested_together_share_a_run_without_new_ones(world):
    failed, archived = stored_entry(world, Status.FAILED), stored_entry(world, Status.ARCHIVED, attempt=3)
    new = world.upload()
    deliver(world, request_message(failed, Action.REDRIVE), request_message(archived, Action.REPLAY), message(new))
    together = Run.holding(world, failed.source)
    assert {entry.source for entry in together.entries} == {failed.source, archived.source}
    assert together.attempt == 4
    assert {entry.attempt for entry in together.entries} == {4}
    assert Run.holding(world, new).name == f"{batch_id_of([new.source_id])}-1"


# ── The treatment of a source is kept ──


@each_new_attempt
def test_the_treatment_of_a_source_is_kept_after_a_failed_run(world, status, action, treatment):
    entry = stored_entry(world, status)
    deliver(world, request_message(entry, action))
    run = Run.holding(world, entry.source).claimed()
    run.fail()
    deliver(world, request_message(world.entry(entry.source), Action.REDRIVE))
    again = Run.holding(world, entry.source)
    assert again.attempt == 3
    assert [each.treatment for each in read_manifest(world.s3, again.folder).sources] == [treatment]
    assert world.entry(entry.source).treatment == treatment


def test_a_file_with_too_many_bad_rows_is_quarantined_unchanged_and_processed_after_its_release(world):
    source = world.upload()
    deliver(world, message(source))
    Run.holding(world, source).go(**{source.source_id: TOO_MANY_BAD_ROWS})
    entry = world.entry(source)
    assert (entry.status, entry.rows_accepted, entry.rows_read) == (Status.QUARANTINED, 0, 10)
    assert deliver(world, request_message(entry, Action.RELEASE)).outcomes == [Outcome.RENEWED]
    Run.holding(world, source).go()
    released = world.entry(source)
    assert (released.status, released.rows_accepted) == (Status.ARCHIVED, 8)
    assert world.content(released.archive_key) == GOOD


@pytest.mark.parametrize(
    ("reason", "before", "treatment"),
    [
        ("too_many_bad_rows", Treatment.NORMAL, Treatment.ACCEPT_BAD_ROWS),
        ("too_many_days", Treatment.NORMAL, Treatment.ACCEPT_MANY_DAYS),
        ("too_many_attempts", Treatment.PUT_ASIDE, Treatment.NORMAL),
        ("not_csv", Treatment.NORMAL, Treatment.NORMAL),
    ],
)
def test_a_release_lifts_the_limit_for_which_the_file_was_quarantined_and_no_other(world, reason, before, treatment):
    entry = stored_entry(world, Status.QUARANTINED, reason=reason, treatment=before)
    assert deliver(world, request_message(entry, Action.RELEASE)).outcomes == [Outcome.RENEWED]
    assert world.entry(entry.source).treatment == treatment
    [listed] = read_manifest(world.s3, Run.holding(world, entry.source).folder).sources
    assert listed.treatment == treatment


@pytest.mark.parametrize(
    ("status", "action", "outcome", "reason"),
    [
        (Status.QUARANTINED, Action.RELEASE, NOT_CSV, "not_csv"),
        (Status.ARCHIVED, Action.REPLAY, TOO_MANY_BAD_ROWS, "too_many_bad_rows"),
    ],
)
def test_a_file_that_a_new_attempt_rejects_moves_to_quarantine(world, status, action, outcome, reason):
    entry = stored_entry(world, status)
    deliver(world, request_message(entry, action))
    Run.holding(world, entry.source).go(**{entry.source.source_id: outcome})
    again = world.entry(entry.source)
    assert (again.status, again.reason) == (Status.QUARANTINED, reason)
    assert world.content(again.archive_key) == GOOD
    assert again.archive_key == entry.archive_key or world.content(entry.archive_key) is None


# ── Requests that change nothing ──


def test_a_redrive_of_a_published_file_that_is_gone_changes_nothing(world):
    entry = stored_entry(world, Status.PUBLISHED)
    world.s3.delete_object(**entry.source.s3_arguments)
    assert deliver(world, request_message(entry, Action.REDRIVE)).outcomes == [Outcome.GONE]
    assert world.status(entry.source) is Status.PUBLISHED


@pytest.mark.parametrize(
    ("status", "action"), [(Status.QUARANTINED, Action.RELEASE), (Status.ARCHIVED, Action.RETRACT)]
)
def test_a_reference_file_that_was_moved_cannot_be_released_and_none_can_be_retracted(world, status, action):
    entry = stored_entry(world, status, key="reference/users/a.csv")
    assert deliver(world, request_message(entry, action)).outcomes == [Outcome.REFUSED]
    assert world.entry(entry.source) == entry


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.RECEIVED])
def test_an_action_that_does_not_apply_to_the_status_changes_nothing(world, action, status):
    if (action, status) in NEW_ATTEMPTS:
        return
    entry = alive(world, status)
    before, item = world.executions(), world.item(entry.source)
    assert deliver(world, request_message(entry, action)).outcomes == [Outcome.DUPLICATE]
    assert world.item(entry.source) == item
    assert world.executions() == before


@pytest.mark.parametrize("action", Action)
def test_a_retracted_source_stays_retracted(world, action):
    entry = stored_entry(world, Status.RETRACTED, treatment=Treatment.RETRACT)
    for body in (request_message(entry, action), message(entry.source)):
        assert deliver(world, body, lease_seconds=ALWAYS_EXPIRED).outcomes == [Outcome.DUPLICATE]
    assert world.entry(entry.source) == entry
    assert world.content(entry.archive_key) == GOOD


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.VALID, Status.RUNNING])
def test_a_redrive_of_a_source_that_changed_recently_changes_nothing(world, status):
    entry = stored_entry(world, status, updated_at=clock.now())
    item, before = world.item(entry.source), world.executions()
    assert deliver(world, request_message(entry, Action.REDRIVE)).outcomes == [Outcome.DUPLICATE]
    assert world.item(entry.source) == item
    assert world.executions() == before


@each_new_attempt
def test_a_request_that_is_delivered_twice_or_late_is_carried_out_once(world, action, status, treatment):
    entry = stored_entry(world, status)
    body, before = request_message(entry, action), world.executions()
    assert deliver(world, body, body).queue == []
    once = world.item(entry.source)
    assert deliver(world, body).outcomes == [Outcome.DUPLICATE]
    assert world.item(entry.source) == once
    run = Run.holding(world, entry.source)
    run.go()
    ended = world.item(entry.source)
    assert deliver(world, body, lease_seconds=ALWAYS_EXPIRED).outcomes == [Outcome.DUPLICATE]
    assert world.item(entry.source) == ended
    assert world.executions() - before == {run.name}


@pytest.mark.parametrize("attempt", [1, 3])
@each_new_attempt
def test_a_request_about_another_attempt_is_ignored(world, action, status, treatment, attempt):
    entry = stored_entry(world, status, attempt=2)
    body = to_message(SourceRequest(entry.source.source_id, attempt, action))
    assert deliver(world, body).outcomes == [Outcome.DUPLICATE]
    assert world.entry(entry.source) == entry


def test_a_request_about_a_source_that_is_not_in_the_ledger_is_rejected(world):
    with pytest.raises(BadEvent, match="is not in the ledger"):
        world.intake().start_invocation(ample_time).process(to_message(SourceRequest("0" * 32, 1, Action.REDRIVE)))


@pytest.mark.parametrize(
    ("status", "action", "content"),
    [
        (Status.QUARANTINED, Action.RELEASE, b"\xff"),
        (Status.ARCHIVED, Action.REPLAY, b"\xff"),
        (Status.ARCHIVED, Action.REPLAY, gzip.compress(b"", mtime=0)),
    ],
)
def test_a_file_that_still_fails_validation_stays_where_it_is(world, status, action, content):
    entry = stored_entry(world, status, content=content)
    assert deliver(world, request_message(entry, action)).outcomes == [Outcome.REFUSED]
    assert world.entry(entry.source) == entry
    assert world.content(entry.archive_key) == content


@pytest.mark.parametrize(
    ("action", "status", "is_late"),
    [
        (action, status, is_late)
        for (action, status), treatment in NEW_ATTEMPTS.items()
        for is_late in (False, True)
        if treatment.adds_rows or (treatment is Treatment.PUT_ASIDE and not is_late)
    ],
)
def test_a_request_for_a_file_that_is_gone_begins_no_attempt_and_is_not_retried(world, action, status, is_late):
    entry, before = stored_entry(world, status), world.executions()
    batch = world.intake().start_invocation(ample_time)
    if is_late:
        assert batch.process(request_message(entry, action)) is Outcome.RENEWED
    world.s3.delete_object(**entry.place.s3_arguments)
    if not is_late:
        assert batch.process(request_message(entry, action)) is Outcome.GONE
    batch.launch()
    assert world.entry(entry.source) == entry
    assert world.executions() == before


def test_the_rows_of_a_file_that_is_gone_can_be_retracted(world):
    entry = stored_entry(world, Status.ARCHIVED)
    world.s3.delete_object(**entry.place.s3_arguments)
    deliver(world, request_message(entry, Action.RETRACT))
    Run.holding(world, entry.source).go()
    assert world.status(entry.source) is Status.RETRACTED


# ── Stalled sources are continued ──


def ended(world, status, **attributes):
    """A source with a status, whose execution has ended without a record of that."""
    entry = stored_entry(world, status, **attributes)
    Run.holding(world, entry.source).start().end()
    return entry


retracting = partial(ended, status=Status.RUNNING, treatment=Treatment.RETRACT)
STALLED: dict[str, tuple[Callable[[World], Entry], Status, int]] = {
    "RECEIVED, its lease over": (partial(stored_entry, status=Status.RECEIVED), Status.ARCHIVED, 1),
    "VALID, never started": (partial(stored_entry, status=Status.VALID), Status.ARCHIVED, 1),
    "VALID, its execution over": (partial(ended, status=Status.VALID), Status.ARCHIVED, 2),
    "RUNNING, its execution over": (partial(ended, status=Status.RUNNING), Status.ARCHIVED, 2),
    "RUNNING, its execution unknown": (partial(stored_entry, status=Status.RUNNING), Status.ARCHIVED, 2),
    "FAILED": (partial(stored_entry, status=Status.FAILED), Status.ARCHIVED, 2),
    "PUBLISHED, its execution over": (partial(ended, status=Status.PUBLISHED), Status.ARCHIVED, 1),
    "QUARANTINED, still in place": (quarantined_in_place, Status.QUARANTINED, 1),
    "ARCHIVED, to be retracted": (half_retracted, Status.RETRACTED, 1),
    "RUNNING to be retracted, its execution over": (retracting, Status.RETRACTED, 2),
}


def run_on(world, entry):
    """Perform the run of a source that is VALID."""
    if world.status(entry.source) is Status.VALID:
        Run.holding(world, entry.source).go()


@pytest.mark.parametrize(("begin", "status", "attempt"), STALLED.values(), ids=STALLED)
def test_a_redrive_continues_every_stalled_source(world, begin, status, attempt):
    entry, before = begin(world), world.executions()
    validate = deliver(world, request_message(entry, Action.REDRIVE))
    assert validate.queue == []
    assert len(world.executions() - before) <= 1
    run_on(world, entry)
    check(world, entry, status, attempt)


@pytest.mark.parametrize(
    "name",
    [
        *("RECEIVED, its lease over", "VALID, its execution over", "RUNNING, its execution over"),
        *("PUBLISHED, its execution over", "QUARANTINED, still in place", "ARCHIVED, to be retracted"),
    ],
)
def test_a_redrive_is_idempotent_after_a_crash_at_any_call(world, name):
    begin, status, attempt = STALLED[name]
    for call in itertools.count(1):
        entry = begin(world)
        before = world.executions()
        validate = Validate(world, request_message(entry, Action.REDRIVE))
        if not world.crashes(validate.deliver, call, is_done=True):
            break
        validate.deliver(ALWAYS_EXPIRED)
        assert validate.queue == []
        is_to_run = name.startswith(("RECEIVED", "VALID", "RUNNING"))
        began = world.executions() - before
        assert began == ({Run.holding(world, entry.source).name} if is_to_run else set()), call
        assert world.entry(entry.source).attempt == attempt
        if not is_to_run:
            check(world, entry, status, attempt)
    if is_to_run:
        run_on(world, entry)
        check(world, entry, status, attempt)
    assert call > 2


@pytest.mark.parametrize(
    ("action", "status", "treatment"),
    [
        (Action.REDRIVE, Status.FAILED, Treatment.NORMAL),
        (Action.RELEASE, Status.QUARANTINED, Treatment.ACCEPT_BAD_ROWS),
        (Action.RETRACT, Status.ARCHIVED, Treatment.RETRACT),
    ],
)
def test_beginning_an_attempt_is_idempotent_after_a_crash_at_any_call(world, action, status, treatment):
    for call in itertools.count(1):
        entry = stored_entry(world, status)
        before = world.executions()
        validate = Validate(world, request_message(entry, action))
        if not world.crashes(validate.deliver, call, is_done=True):
            break
        validate.deliver(ALWAYS_EXPIRED)
        assert validate.queue == []
        run = Run.holding(world, entry.source)
        assert world.executions() - before == {run.name}, call
        assert world.status(entry.source) is Status.VALID
        [listed] = read_manifest(world.s3, run.folder).sources
        assert listed.treatment == treatment
        if treatment is not Treatment.RETRACT:
            assert world.content(run.folder.key(f"input/{listed.input}"), LAKE) == GOOD
    run = Run.holding(world, entry.source)
    run.go()
    check(world, entry, Status.RETRACTED if treatment is Treatment.RETRACT else Status.ARCHIVED, 2)
    assert call > 3


@pytest.mark.parametrize("status", [Status.VALID, Status.RUNNING])
def test_job_runs_of_an_ended_execution_are_stopped_before_a_new_attempt(world, status):
    entry = ended(world, status)
    mine = world.glue.start("transform-streams", Run.holding(world, entry.source).name)
    other = world.glue.start("transform-streams", "other-1")
    deliver(world, request_message(entry, Action.REDRIVE))
    assert (world.glue.state(mine), world.glue.state(other)) == ("STOPPED", "RUNNING")
    assert world.entry(entry.source).attempt == 2


def test_no_attempt_begins_while_a_job_run_of_the_last_one_is_active(world):
    entry = ended(world, Status.RUNNING)
    world.glue.stopping_looks = 10
    world.glue.start("load-metrics", Run.holding(world, entry.source).name)
    times = iter([300.0] * 4)
    batch = world.intake().start_invocation(lambda: next(times, 1.0))
    with pytest.raises(JobRunsAlive):
        batch.process(request_message(entry, Action.REDRIVE))
    world.glue.stopping_looks = 0
    assert world.entry(entry.source) == entry


# ── Two operators ──


def test_five_concurrent_requests_begin_one_attempt(world):
    entry = stored_entry(world, Status.FAILED)
    before = world.executions()
    concurrently(*(Validate(world, request_message(entry, Action.REDRIVE)) for _ in range(5)))
    run = Run.holding(world, entry.source)
    assert run.attempt == 2
    assert world.executions() - before == {run.name}
    run.go()
    check(world, entry, Status.ARCHIVED, 2)


@pytest.mark.parametrize(
    ("status", "one", "other"),
    [
        (Status.ARCHIVED, Action.REPLAY, Action.RETRACT),
        (Status.ARCHIVED, Action.RETRACT, Action.REPLAY),
        (Status.FAILED, Action.REDRIVE, Action.RETRACT),
        (Status.FAILED, Action.REDRIVE, Action.REDRIVE),
    ],
)
def test_of_two_concurrent_requests_one_wins_and_the_run_has_the_treatment_in_the_ledger(world, status, one, other):
    for call in itertools.count(1):
        entry = stored_entry(world, status)
        first, second = Validate(world, request_message(entry, one)), Validate(world, request_message(entry, other))
        with world.interrupt_at(call, second.deliver) as calls:
            first.deliver()
        if len(calls) < call:
            break
        run = Run.holding(world, entry.source)
        assert run.attempt == 2
        wanted = world.entry(entry.source).treatment
        if not run.claim().has_work:
            # The rejected request overwrote the manifest of the other: nothing runs until a redrive.
            run.end()
            deliver(world, request_message(world.entry(entry.source), Action.REDRIVE), lease_seconds=ALWAYS_EXPIRED)
            run = Run.holding(world, entry.source).claimed()
        [held] = read_claimed(world.s3, run.folder, run.name).sources
        assert (held.treatment, world.entry(entry.source).treatment) == (wanted, wanted), call
    assert call > 4


def test_two_concurrent_requests_with_overlapping_selections_run_each_source_once(world):
    for call in itertools.count(1):
        shared, mine, theirs = (stored_entry(world, Status.FAILED) for _ in range(3))
        first = Validate(world, *(request_message(entry, Action.REDRIVE) for entry in (shared, mine)))
        second = Validate(world, *(request_message(entry, Action.REDRIVE) for entry in (theirs, shared)))
        with world.interrupt_at(call, second.deliver) as calls:
            first.deliver()
        if len(calls) < call:
            break
        runs = {run.name: run for run in (Run.holding(world, entry.source) for entry in (shared, mine, theirs))}
        assert runs.keys() <= world.executions()
        held = [source_id for run in runs.values() for source_id in run.claimed().claimed_ids]
        assert sorted(held) == sorted(entry.source.source_id for entry in (shared, mine, theirs)), call
        assert {world.status(entry.source) for entry in (shared, mine, theirs)} == {Status.RUNNING}
    assert call > 8


# ── Runs without sources ──


@pytest.mark.parametrize(
    ("request_", "days", "users"),
    [(Rebuild([DAY], "2026-11-21T21:03:25.123Z"), [DAY], []), (Forget(7, "2026-11-21T21:03:25.123Z"), [], [7])],
    ids=["rebuild", "forget"],
)
def test_a_request_without_sources_starts_one_run_although_it_repeats_or_crashes(world, request_, days, users):
    names = set()
    for call in itertools.count(1):
        before = world.executions()
        validate = Validate(world, to_message(request_), to_message(request_))
        if world.crashes(validate.deliver, call, is_done=True):
            validate.deliver()
        names |= world.executions() - before
        if not validate.outcomes[2:]:
            break
    [name] = names
    manifest = read_manifest(world.s3, RunFolder(LAKE, name.rsplit("-", 1)[0]))
    assert (manifest.sources, manifest.days, manifest.forget) == ([], days, users)
    run = Run(world, RunFolder(LAKE, manifest.batch_id))
    claim = run.claim()
    assert (claim.left, claim.has_work, claim.forgets) == (0, True, bool(users))
    world.sent_events()
    run.finish_jobs(days=[DAY])
    assert (run.settle(), run.archive()) == (0, 0)
    [event] = world.sent_events()
    assert event["detail"]["days"] == [DAY]


def test_requests_without_sources_are_distinguished_by_their_time(world):
    before = world.executions()
    rebuilds = [Rebuild([DAY], f"2026-11-21T21:03:2{n}.000Z") for n in range(2)]
    assert deliver(world, *map(to_message, rebuilds)).outcomes == [Outcome.ORDERED] * 2
    assert len(world.executions() - before) == 2


# ── Quarantine after repeated failures ──


def test_a_file_that_failed_too_often_is_quarantined_without_validation_and_can_be_released(world):
    entry = stored_entry(world, Status.FAILED, content=b"\xff", failures=3)
    assert deliver(world, request_message(entry, Action.PUT_ASIDE)).outcomes == [Outcome.RENEWED]
    run = Run.holding(world, entry.source)
    run.go(**{entry.source.source_id: SourceOutcome(0, 0, {}, [DAY], "too_many_attempts")})
    quarantined = world.entry(entry.source)
    assert (quarantined.status, quarantined.reason) == (Status.QUARANTINED, "too_many_attempts")
    assert world.content(quarantined.archive_key) == b"\xff"
    assert not world.is_at_landing_key(entry.source)
    outcomes = deliver(world, request_message(quarantined, Action.RELEASE)).outcomes
    assert outcomes == [Outcome.REFUSED], "its release validates it"


def test_a_file_whose_retraction_failed_is_not_quarantined(world):
    entry = stored_entry(world, Status.FAILED, treatment=Treatment.RETRACT)
    deliver(world, request_message(entry, Action.PUT_ASIDE))
    assert world.entry(entry.source).treatment is Treatment.RETRACT


# ── The ledger keeps facts about attempts ──


def test_failures_are_counted_until_the_file_is_published(world):
    source = world.upload()
    run = Run.of(world, source).claimed()
    run.fail()
    assert world.entry(source).failures == 1
    deliver(world, request_message(world.entry(source), Action.REDRIVE))
    again = Run.holding(world, source).claimed()
    again.fail()
    assert world.entry(source).failures == 2
    deliver(world, request_message(world.entry(source), Action.REDRIVE))
    Run.holding(world, source).go()
    assert world.entry(source).failures == 0


def test_the_time_of_the_first_publication_is_kept_after_replays(world):
    source = world.upload()
    Run.of(world, source).go()
    first = world.entry(source)
    assert first.first_published_at == first.published_at != ""
    deliver(world, request_message(first, Action.REPLAY))
    Run.holding(world, source).go()
    second = world.entry(source)
    assert second.published_at > first.published_at
    assert second.first_published_at == first.first_published_at
