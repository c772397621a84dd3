"""Plans carried out through validate's intake, with the runs that it starts."""

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from music_streams import clock
from music_streams.policy import ATTEMPTS_BEFORE_QUARANTINE
from music_streams.reconcile.findings import BAD_FILES, Findings, State, counts_of
from music_streams.reconcile.plan import Plan, RepairKind, plan
from music_streams.state.run_files import RunFolder, SourceOutcome
from music_streams.state.sources import Treatment
from music_streams.state.statuses import Status
from tests.integration.domain.run import Run
from tests.integration.domain.stored_sources import alive, half_retracted, quarantined_in_place, stored_entry
from tests.integration.domain.validate import deliver
from tests.integration.domain.world import ALWAYS_EXPIRED, LAKE, World
from tests.integration.reconcile.stage import EVER, delete, file_findings
from tests.integration.reconcile.test_files import CASES

QUARANTINED = SourceOutcome(0, 0, {}, [], "too_many_attempts")
FIRST_FAILURE, BETWEEN, LAST_ATTEMPT = (f"2026-11-21T22:0{n}:00.000Z" for n in range(3))
STREAK: dict[str, Any] = {"failing_since": FIRST_FAILURE, "validated_at": LAST_ATTEMPT}
AT_ONCE: dict[str, Any] = {"grace": ALWAYS_EXPIRED}


def planned(world: World, most: int = 1_000, **how: Any) -> Plan:
    """Return the plan for the current findings."""
    bad = [file for file in file_findings(world, EVER, **how).values() if file.state is not State.OK]
    return plan(Findings(EVER, clock.now(), counts_of(bad, 0), bad, []), clock.now(), most)


def finish_runs(world: World, fails: frozenset[str] = frozenset()) -> None:
    """Finish every started run; a run with a source in `fails` fails, unless the source is quarantined."""
    for name in world.state_machine.running():
        batch_id, _, attempt = name.rpartition("-")
        run = Run(world, RunFolder(LAKE, batch_id), int(attempt)).claimed()
        held = [entry for entry in run.entries if entry.source.source_id in run.claimed_ids]
        quarantined = {e.source.source_id: QUARANTINED for e in held if e.treatment is Treatment.PUT_ASIDE}
        if any(e.source.source_id in fails and e.source.source_id not in quarantined for e in held):
            run.end()
            run.fail()
        elif held:
            run.go(**quarantined)
        else:
            run.end()


WITH_MESSAGE = [case for case in CASES if case.attempt]


@pytest.mark.parametrize("case", WITH_MESSAGE, ids=[case.name for case in WITH_MESSAGE])
def test_a_repair_finishes_the_file_and_is_idempotent(emptied, case):
    world = emptied
    source = case.make(world)
    [repair] = planned(world, grace=case.grace).repairs
    assert (repair.source_id, repair.attempt, repair.what) == (source.source_id, case.attempt, RepairKind.REDRIVE)
    deliver(world, repair.message)
    begun, before = world.entry(source), world.executions()
    deliver(world, repair.message, repair.message)
    assert (world.entry(source), world.executions()) == (begun, before)
    assert file_findings(world, EVER)[source.source_id].state in {State.OK, State.IN_FLIGHT}
    finish_runs(world)
    at_end = world.entry(source)
    deliver(world, repair.message)
    assert (world.entry(source), world.executions()) == (at_end, before)
    ended = file_findings(world, EVER, **AT_ONCE)[source.source_id]
    assert (ended.state, ended.attempt) == (State.OK, case.attempt)
    assert planned(world, **AT_ONCE) == Plan([])


def test_a_file_that_fails_repeatedly_is_quarantined_without_a_gap(emptied):
    world = emptied
    source = stored_entry(world, Status.FAILED, attempt=3, failures=ATTEMPTS_BEFORE_QUARANTINE, **STREAK).source
    stored_entry(world, Status.ARCHIVED, published_at=BETWEEN)
    [repair] = planned(world).repairs
    assert (repair.what, repair.attempt) == (RepairKind.PUT_ASIDE, 4)
    deliver(world, repair.message)
    deliver(world, repair.message)
    finish_runs(world)
    entry = world.entry(source)
    assert (entry.status, entry.reason, entry.attempt) == (Status.QUARANTINED, "too_many_attempts", 4)
    assert file_findings(world, EVER)[source.source_id].state is State.OK


def deleted(world: World) -> Any:
    entry = stored_entry(world, Status.FAILED)
    delete(world, entry.source)
    return entry


IN_OTHER_STATUSES = (Status.QUARANTINED, Status.RECEIVED, Status.VALID, Status.RUNNING, Status.PUBLISHED)
MAKERS: dict[str, Any] = {
    "healthy": lambda world: stored_entry(world, Status.ARCHIVED, published_at=clock.now()),
    "retracted": lambda world: stored_entry(world, Status.RETRACTED, treatment=Treatment.RETRACT),
    "event lost": lambda world: world.upload(),
    "running": lambda world: alive(world, Status.RUNNING),
    "failed": lambda world: stored_entry(world, Status.FAILED, failures=1),
    "poisoned": lambda world: stored_entry(world, Status.FAILED, failures=1),
    "half retracted": half_retracted,
    "in place": quarantined_in_place,
    "deleted": deleted,
    **{status.lower(): partial(stored_entry, status=status) for status in IN_OTHER_STATUSES},
}
AT_REST = {"healthy", "quarantined", "retracted"}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mix=st.lists(st.sampled_from(sorted(MAKERS)), min_size=1, max_size=8), cap=st.integers(1, 3))
def test_repeated_plans_leave_no_gap_and_change_no_healthy_file(world, empty, mix, cap):
    empty()
    created = [(name, MAKERS[name](world)) for name in ["healthy", *mix]]
    sources = [(name, getattr(item, "source", item)) for name, item in created]
    healthy = {source.source_id: world.entry(source) for name, source in sources if name in AT_REST}
    poisoned = frozenset(source.source_id for name, source in sources if name == "poisoned")
    rounds = 0
    while (next_plan := planned(world, most=cap, **AT_ONCE)).repairs:
        assert len(next_plan.repairs) <= cap
        deliver(world, *(repair.message for repair in next_plan.repairs), lease_seconds=ALWAYS_EXPIRED)
        finish_runs(world, poisoned)
        MAKERS["healthy"](world)  # Another file succeeds meanwhile.
        rounds += 1
        assert rounds <= (ATTEMPTS_BEFORE_QUARANTINE + 1) * len(sources), "the repairs do not end"
    left = [file for file in file_findings(world, EVER, **AT_ONCE).values() if file.state in BAD_FILES]
    assert all(file.why == "its object was deleted, but not by the pipeline: upload the file again" for file in left)
    assert len(left) == mix.count("deleted")
    assert {source_id: world.ledger.entry(source_id) for source_id in healthy} == healthy
    entries_at_end = [(name, world.entry(source)) for name, source in sources]
    assert all(entry.attempt <= ATTEMPTS_BEFORE_QUARANTINE + 1 for _, entry in entries_at_end)
    assert {e.reason for name, e in entries_at_end if name == "poisoned"} <= {"too_many_attempts"}


@pytest.mark.parametrize("published_at", [FIRST_FAILURE, LAST_ATTEMPT, ""])
def test_a_failing_file_is_redriven_unless_others_succeeded_between_its_failures(emptied, published_at):
    world = emptied
    source = stored_entry(world, Status.FAILED, failures=ATTEMPTS_BEFORE_QUARANTINE + 5, **STREAK).source
    stored_entry(world, Status.ARCHIVED, published_at=published_at)
    stored_entry(world, Status.ARCHIVED, key="reference/songs/s.csv", published_at=BETWEEN)
    [repair] = planned(world).repairs
    assert (repair.source_id, repair.what) == (source.source_id, RepairKind.REDRIVE)
