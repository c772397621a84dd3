"""The findings of a reconciliation: the state of each file, and of each day's metrics."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from music_streams import clock
from music_streams.display import plural
from music_streams.state.object_keys import safe_name


class State(StrEnum):
    """The state of a file, combined from S3, the ledger, Step Functions and the lake."""

    OK = "OK"
    """Finished: published and archived, retracted, or quarantined with its reason."""
    IN_FLIGHT = "IN_FLIGHT"
    """In flight, and neither late nor stalled."""
    LATE = "LATE"
    """In flight, but its metrics should be published by now."""
    MISSING = "MISSING"
    """It landed and has no ledger entry, or it is archived and the lake lacks rows of it."""
    FAILED = "FAILED"
    """Its last attempt failed."""
    STUCK = "STUCK"
    """It is stalled: its status does not change, and no execution is processing it."""
    ORPHAN = "ORPHAN"
    """An object that no ledger entry names; or the object of a published, archived or quarantined file was deleted."""
    PARKED = "PARKED"
    """It is archived, and songs files now contain tracks of its parked rows."""


BAD_FILES = (State.MISSING, State.FAILED, State.STUCK, State.LATE, State.ORPHAN, State.PARKED)
"""The states that are a discrepancy, the worst first."""


class DayState(StrEnum):
    """The state of a day's metrics, compared with the lake."""

    OK = "OK"
    """Every item equals the lake."""
    IN_FLIGHT = "IN_FLIGHT"
    """They differ, and an unfinished file (in flight or FAILED) or a running execution may be the reason."""
    METRIC_DRIFT = "METRIC_DRIFT"
    """An item is missing, unexpected, or different from the lake."""
    LAKE_LOST = "LAKE_LOST"
    """The items come from a lake that no longer exists, which must be rebuilt from the archive."""


BAD_DAYS = (DayState.LAKE_LOST, DayState.METRIC_DRIFT)
"""The states that are a discrepancy, the worst first."""


@dataclass(frozen=True)
class Window:
    """The files to inspect, by the UTC date of their arrival; files that are not finished are always included.

    Attributes:
        first, last: dates, YYYY-MM-DD.
        prefix: prefix of their keys.
    """

    first: str
    last: str
    prefix: str = ""

    @classmethod
    def of_unfinished(cls, prefix: str = "") -> "Window":
        """Return a window without dates: only files that are not finished."""
        return cls("9999-12-31", "9999-12-30", prefix)

    @property
    def dates(self) -> list[str]:
        """Every date of the window."""
        return clock.dates(self.first, self.last)

    def holds(self, timestamp: str) -> bool:
        """Whether a timestamp is in the window."""
        return self.first <= timestamp[:10] <= self.last


@dataclass(frozen=True)
class FileFinding:
    """The finding about one file.

    Attributes:
        why: the reason for the state, for people.
        status, reason: from its ledger entry; '' without an entry.
        since: timestamp of its last change; '' without a ledger entry.
        attempt: the attempt that a repair finishes.
        failures: attempts whose execution failed since it was last published.
        message: the message for the arrivals queue that repairs it; '' if no repair is possible or needed.
        days: the known days whose metrics its repair computes again.
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
        """The last segment of its key, safe for pages and logs."""
        return safe_name(self.key)


@dataclass(frozen=True)
class DayFinding:
    """The finding about one day.

    Attributes:
        differences: the first differences, for people.
        count: number of all differences.
        version: the version in the fence; 0 if the day was never published.
    """

    day: str
    state: DayState
    why: str = ""
    differences: list[str] = field(default_factory=list)
    count: int = 0
    version: int = 0


@dataclass(frozen=True)
class Findings:
    """The findings at one instant.

    Attributes:
        counts: number of files by state, OK included.
        files: the files that are not OK, the oldest first.
        days: every compared day.
        last_published_at: timestamp of the last publication of a file; '' if there is none.
    """

    window: Window
    looked_at: str
    counts: dict[str, int]
    files: list[FileFinding]
    days: list[DayFinding]
    last_published_at: str = ""

    @property
    def bad_files(self) -> list[FileFinding]:
        """The files with a discrepancy, the worst state first, then the oldest."""
        bad = (file for file in self.files if file.state in BAD_FILES)
        return sorted(bad, key=lambda file: (BAD_FILES.index(file.state), file.received_at))

    @property
    def bad_days(self) -> list[DayFinding]:
        """The days with a discrepancy, those of a lost lake first."""
        bad = (day for day in self.days if day.state in BAD_DAYS)
        return sorted(bad, key=lambda day: BAD_DAYS.index(day.state))

    @property
    def in_flight(self) -> int:
        """The number of files and days with the state IN_FLIGHT."""
        return sum(file.state is State.IN_FLIGHT for file in self.files) + sum(
            day.state is DayState.IN_FLIGHT for day in self.days
        )

    @property
    def is_whole(self) -> bool:
        """Whether neither a file nor a day has a discrepancy."""
        return not self.bad_files and not self.bad_days

    @property
    def sentence(self) -> str:
        """The number of files, then of days, by state, the worst first."""
        by_state = Counter(file.state for file in self.bad_files)
        parts = [f"{by_state[state]:,} {state}" for state in BAD_FILES if by_state[state]]
        of_days = Counter(day.state for day in self.bad_days)
        parts += [f"{plural(of_days[state], 'day')} {state}" for state in BAD_DAYS if of_days[state]]
        in_flight = [f"{self.in_flight:,} in flight"] if self.in_flight else []
        return ", ".join([*(parts or ["no gaps"]), f"{self.counts.get(State.OK, 0):,} OK", *in_flight])

    def as_json(self) -> dict[str, Any]:
        """Return the findings as JSON, for :meth:`from_json` and for people."""
        return {"sentence": self.sentence, **asdict(self)}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Findings":
        """Return the findings from the result of :meth:`as_json`."""
        return cls(
            Window(**raw["window"]),
            raw["looked_at"],
            raw["counts"],
            [FileFinding(**{**file, "state": State(file["state"])}) for file in raw["files"]],
            [DayFinding(**{**day, "state": DayState(day["state"])}) for day in raw["days"]],
            raw["last_published_at"],
        )


def counts_of(files: Iterable[FileFinding], ok: int) -> dict[str, int]:
    """Return the number of files by state."""
    return {State.OK.value: ok} | {state.value: count for state, count in Counter(f.state for f in files).items()}
