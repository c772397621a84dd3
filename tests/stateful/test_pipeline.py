"""The guarantee: metrics are the fold over the distinct events of all accepted files, and no file is lost.

The product's own code runs on AWS in memory. Hypothesis chooses what happens: which files and requests arrive, which
event is lost or duplicated, which program makes its next AWS call, which dies or fails at it, and what times out.
After each step the ledger, the lake, the kept files and the fences must be consistent; when all work is finished, the
metrics must be those of the files.

To run more, and random, examples: ``HYPOTHESIS_PROFILE=searching STATEFUL_EXAMPLES=5000 pytest tests/stateful``.
"""

import os
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from music_streams import clock
from music_streams.state.requests import Action
from music_streams.state.statuses import Status
from tests.integration.load.interleaving import Fault
from tests.stateful.cloud import ALL_CALLS, FailureEvent, Message, Running
from tests.stateful.files import BAD_ROW, DAYS, ROWS, TRACKS
from tests.stateful.world import KEYS, World

pytestmark = pytest.mark.timeout(3_600)  # shrinking a counterexample takes minutes, and so do more examples

FILES = st.tuples(
    st.sampled_from(KEYS), st.lists(st.sampled_from(ROWS) | st.sampled_from([*ROWS, BAD_ROW]), max_size=4)
)
DELIVERIES = st.sampled_from([1, 2, 3, 0])
PICKS = st.integers(0, 5)
CALLS = st.sampled_from([ALL_CALLS, *range(12), 15, 20, 30])
GENRES = st.dictionaries(st.sampled_from(TRACKS), st.sampled_from([("pop",), ("rock",), ("pop", "rock")]))
COUNTRIES = st.dictionaries(st.just("1"), st.sampled_from(["DE", "PT"]))
RARELY = st.sampled_from([False] * 7 + [True])
MOVES = st.tuples(st.integers(0, 11), CALLS, st.sampled_from([None] * 8 + [*Fault]))
MOST_MESSAGES = 4
MOST_PROGRAMS = 8
MOST_ARRIVALS = 7
SENSIBLE = {
    Status.ARCHIVED: [Action.REPLAY, Action.RETRACT],
    Status.FAILED: [Action.REDRIVE, Action.RETRACT],
    Status.QUARANTINED: [Action.RELEASE],
}


class Pipeline(RuleBasedStateMachine):
    """The events that can happen to the pipeline.

    Attributes:
        is_fault_free: whether no program fails and no event is lost; duplicates and any order are still possible.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world: World
        self.is_fault_free: bool

    @initialize(track_metrics=st.booleans(), is_fault_free=st.booleans())
    def begin(self, track_metrics: bool, is_fault_free: bool) -> None:
        self.world = World(track_metrics=track_metrics)
        self.is_fault_free = is_fault_free
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(clock, "now", self.world.cloud.timestamp)
        self.world.put_reference({TRACKS[0]: ("pop",)}, {}, deliveries=int(is_fault_free))

    # ── Producers and operators ───────────────────────────────────────────────────────────────────────────
    @precondition(lambda self: len(self.world.arrivals) < MOST_ARRIVALS)
    @rule(files=st.lists(FILES, min_size=1, max_size=3), deliveries=DELIVERIES, is_deleted=RARELY)
    def put(self, files: list[tuple[str, list[str]]], deliveries: int, is_deleted: bool) -> None:
        for key, rows in files:
            self.world.put(key, rows, max(deliveries, self.is_fault_free), is_deleted=is_deleted)

    @precondition(lambda self: len(self.world.arrivals) < MOST_ARRIVALS)
    @rule(genres=GENRES, countries=COUNTRIES, deliveries=DELIVERIES)
    def put_reference(self, genres: dict[str, tuple[str, ...]], countries: dict[str, str], deliveries: int) -> None:
        self.world.put_reference(genres, countries, max(deliveries, self.is_fault_free))

    @precondition(lambda self: any(entry.status is not Status.RETRACTED for entry in self.world.entries()))
    @rule(pick=PICKS, action=st.integers(0, 10), deliveries=st.integers(1, 3))
    def add_request(self, pick: int, action: int, deliveries: int) -> None:
        entry = _pick(self.world.entries(), pick)
        sensible = SENSIBLE.get(entry.status, [Action.REDRIVE])
        self.world.request(entry, _pick([*sensible, *sensible, *Action], action), deliveries)

    @rule(days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=2, unique=True))
    def rebuild(self, days: list[str]) -> None:
        self.world.rebuild(days)

    @precondition(lambda self: self.world.cloud.dynamodb.items("metrics"))
    @rule()
    def lose_the_metrics_table(self) -> None:
        self.world.drop_metrics()

    # ── AWS ─────────────────────────────────────────────────────────────────────────────────────────────
    @rule(moves=st.lists(MOVES, min_size=1, max_size=12))
    def work_continues(self, moves: list[tuple[int, int, Fault | None]]) -> None:
        """Each move lets one program make some calls, perhaps up to a fault, or starts one for a message or event."""
        cloud = self.world.cloud
        for pick, calls, fault in moves:
            choices: list[Any] = [*cloud.running, *cloud.failure_events, *cloud.visible()[:3]]
            if choices:
                running = self._start(_pick(choices, pick), pick)
                cloud.go(running, calls, None if self.is_fault_free else fault)

    def _start(self, choice: Running | FailureEvent | Message, pick: int) -> Running:
        """Return the chosen program; start it if the choice is a message or an event."""
        cloud = self.world.cloud
        if isinstance(choice, Running):
            return choice
        if isinstance(choice, FailureEvent):
            return cloud.deliver_failure(choice)
        visible = cloud.visible()
        first = visible.index(choice)
        # Every other message, so that two invocations process a duplicated one.
        batch = [*visible[first:], *visible[:first]][::2][: 1 + pick % MOST_MESSAGES]
        cloud.record(f"validate gets {len(batch)} of {len(visible)} messages")
        return cloud.validate(batch)

    @rule(newest_first=st.booleans())
    def everything_finishes(self, newest_first: bool) -> None:
        self.world.cloud.record(f"all programs run to their end{', the newest first' if newest_first else ''}")
        self.world.run_all(newest_first=newest_first)

    @precondition(
        lambda self: not self.is_fault_free and self.world.alive() and len(self.world.cloud.running) < MOST_PROGRAMS
    )
    @rule(pick=PICKS)
    def lose_the_output_of_a_step(self, pick: int) -> None:
        execution = _pick(self.world.alive(), pick)
        self.world.cloud.record(f"the output of {execution.current.name} is lost")
        self.world.cloud.repeat_step(execution)

    @precondition(lambda self: not self.is_fault_free and self.world.alive())
    @rule(pick=PICKS, status=st.sampled_from(["ABORTED", "TIMED_OUT"]), goes_on=st.booleans())
    def end_an_execution(self, pick: int, status: str, goes_on: bool) -> None:
        execution = _pick(self.world.alive(), pick)
        current = execution.current
        self.world.cloud.end_execution(execution, status, "")
        if not goes_on:
            self.world.cloud.kill(current)

    @precondition(lambda self: self.world.cloud.failure_events)
    @rule(pick=PICKS)
    def repeat_a_failure_event(self, pick: int) -> None:
        self.world.cloud.record("a failure event is duplicated")
        event = _pick(self.world.cloud.failure_events, pick)
        self.world.cloud.failure_events.append(FailureEvent(event.detail))

    @precondition(lambda self: not self.is_fault_free and self.world.cloud.failure_events)
    @rule(pick=PICKS)
    def lose_a_failure_event(self, pick: int) -> None:
        self.world.cloud.record("a failure event is lost")
        self.world.cloud.failure_events.remove(_pick(self.world.cloud.failure_events, pick))

    @precondition(lambda self: not self.is_fault_free)
    @rule(seconds=st.sampled_from([1, 301, 1_801, 3_601]))
    def time_passes(self, seconds: int) -> None:
        self.world.cloud.record(f"{seconds} seconds pass")
        self.world.cloud.advance(seconds)

    @precondition(lambda self: not self.is_fault_free)
    @rule(damages=st.booleans())
    def copies_get_damaged(self, damages: bool) -> None:
        self.world.cloud.record("from now on copies lose a byte" if damages else "from now on copies are complete")
        self.world.cloud.s3.damages_copies = damages

    # ── Invariants ────────────────────────────────────────────────────────────────────────────────────────────
    @invariant()
    def is_consistent(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.world.drain(is_fault_free=self.is_fault_free)
                self.world.check_final_state()
        finally:
            note("\n".join(["What happened:", *self.world.cloud.history]))
            self.world.close()
            self._patch.undo()


def _pick(values: list[Any], pick: int) -> Any:
    return values[pick % len(values)]


TestPipeline = Pipeline.TestCase
TestPipeline.settings = settings(
    max_examples=int(os.environ.get("STATEFUL_EXAMPLES", "200")),
    stateful_step_count=100,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # the phase "explain" takes minutes here
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
