"""What a reconciliation finds: where each file stands, and whether the metrics of each day are what the lake says."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from music_streams import clock
from music_streams.display import plural
from music_streams.state.object_keys import safe_name


class State(StrEnum):
    """Where a file stands, as the places that know of it say together."""

    OK = "OK"
    """At its end: published and archived, retracted, or quarantined with its reason."""
    IN_FLIGHT = "IN_FLIGHT"
    """On its way, and in time."""
    LATE = "LATE"
    """On its way, but its metrics should stand by now."""
    MISSING = "MISSING"
    """It landed and the ledger does not know it, or it was published and the lake does not know it."""
    FAILED = "FAILED"
    """Its last attempt failed."""
    STUCK = "STUCK"
    """It stands still between two steps, and nothing is at work on it."""
    ORPHAN = "ORPHAN"
    """An object that no entry of the ledger accounts for, or an entry whose object is gone."""


GAPS = (State.ORPHAN, State.MISSING, State.FAILED, State.STUCK, State.LATE)
"""The states that are not as they should be, the worst first."""


class DayState(StrEnum):
    """How the metrics of a day stand to the lake."""

    OK = "OK"
    """Every item is what the lake says."""
    IN_FLIGHT = "IN_FLIGHT"
    """A run that has not ended has changed the day in the lake, or may be changing its items."""
    METRIC_DRIFT = "METRIC_DRIFT"
    """An item is missing, one too many, or another than the lake says."""
    LAKE_LOST = "LAKE_LOST"
    """The items are of a lake that is not there any more: it is to be rebuilt from the archive."""


@dataclass(frozen=True)
class Window:
    """Which files are looked at, by the UTC date of their arrival; what is not at its end always is.

    Attributes:
        first, last: dates, YYYY-MM-DD.
        prefix: of their keys.
    """

    first: str
    last: str
    prefix: str = ""

    @classmethod
    def of_moving(cls, prefix: str = "") -> "Window":
        """No date at all: only what is not at its end."""
        return cls("9999-12-31", "9999-12-30", prefix)

    @property
    def dates(self) -> list[str]:
        """Every date."""
        return clock.dates(self.first, self.last)

    def holds(self, stamp: str) -> bool:
        """Whether a moment lies in it."""
        return self.first <= stamp[:10] <= self.last


@dataclass(frozen=True)
class FileFinding:
    """One file.

    Attributes:
        why: what was found, for people.
        status, reason: as the ledger has them; '' where it does not know the file.
        since: when it last moved; '' where the ledger does not know it.
        attempt: the attempt that a repair would bring to its end.
        failures: attempts that failed since it was last published.
        message: what to put into the arrivals queue to repair it; '' where nothing can or need be done.
        days: days whose metrics its repair computes anew, where they are known.
        is_outlived: whether other files were published between its first failure and its last attempt.
    """

    source_id: str
    key: str
    state: State
    why: str
    received_at: str
    since: str = ""
    status: str = ""
    reason: str = ""
    attempt: int = 0
    failures: int = 0
    message: str = ""
    days: list[str] = field(default_factory=list)
    is_outlived: bool = False

    @property
    def name(self) -> str:
        """The last segment of its key, without what a page or a log might trip over."""
        return safe_name(self.key)


@dataclass(frozen=True)
class DayFinding:
    """One day.

    Attributes:
        differences: what differs, for people; the first of them where they are many.
        count: how many there are.
        version: of the items, as the fence has it; 0 where the day was never published.
    """

    day: str
    state: DayState
    why: str = ""
    differences: list[str] = field(default_factory=list)
    count: int = 0
    version: int = 0


@dataclass(frozen=True)
class Findings:
    """What was found at one moment.

    Attributes:
        counts: how many files there are of each state, those that are OK too.
        files: those that are not OK, the oldest first.
        days: every day that was compared.
        last_published_at: when metrics of a file last stood; '' where none ever did.
    """

    window: Window
    looked_at: str
    counts: dict[str, int]
    files: list[FileFinding]
    days: list[DayFinding]
    last_published_at: str = ""

    @property
    def gaps(self) -> list[FileFinding]:
        """The files that are not as they should be, the worst first, and of these the oldest."""
        bad = (file for file in self.files if file.state in GAPS)
        return sorted(bad, key=lambda file: (GAPS.index(file.state), file.received_at))

    @property
    def bad_days(self) -> list[DayFinding]:
        """The days whose metrics are not what the lake says."""
        return [day for day in self.days if day.state in {DayState.METRIC_DRIFT, DayState.LAKE_LOST}]

    @property
    def in_flight(self) -> int:
        """How many files, and days, are on their way, and in time."""
        return sum(file.state is State.IN_FLIGHT for file in self.files) + sum(
            day.state is DayState.IN_FLIGHT for day in self.days
        )

    @property
    def is_whole(self) -> bool:
        """Whether there is neither a gap nor drift."""
        return not self.gaps and not self.bad_days

    @property
    def sentence(self) -> str:
        """What was found, the worst first."""
        by_state = Counter(file.state for file in self.gaps)
        parts = [f"{by_state[state]:,} {state}" for state in GAPS if by_state[state]]
        of_days = Counter(day.state for day in self.bad_days)
        parts += [f"{plural(count, 'day')} {state}" for state, count in sorted(of_days.items())]
        on_their_way = [f"{self.in_flight:,} in flight"] if self.in_flight else []
        return ", ".join([*(parts or ["no gaps"]), f"{self.counts.get(State.OK, 0):,} OK", *on_their_way])

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`, and for people."""
        return {"sentence": self.sentence, **asdict(self)}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Findings":
        """What :meth:`as_json` told."""
        return cls(
            Window(**told["window"]),
            told["looked_at"],
            told["counts"],
            [FileFinding(**{**file, "state": State(file["state"])}) for file in told["files"]],
            [DayFinding(**{**day, "state": DayState(day["state"])}) for day in told["days"]],
            told["last_published_at"],
        )


def counts_of(files: Iterable[FileFinding], ok: int) -> dict[str, int]:
    """How many files there are of each state."""
    return {State.OK.value: ok} | {state.value: count for state, count in Counter(f.state for f in files).items()}
