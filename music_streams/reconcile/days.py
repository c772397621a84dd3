"""Days: whether the items that stand are what the lake says."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from music_streams.aws.batch_get import batch_get
from music_streams.reconcile import drift
from music_streams.reconcile.findings import DayFinding, DayState
from music_streams.reconcile.lake import LakeReader
from music_streams.reconcile.recount import Recount, recount
from music_streams.run.executions import Executions
from music_streams.state.ledger import Entry
from music_streams.state.sources import batch_and_attempt
from music_streams.state.statuses import FINISHED

_DAYS_AT_ONCE = 31
_TOLD = 10  # differences of a day


@dataclass(frozen=True)
class DayComparison:
    """What came of comparing.

    Attributes:
        days: every day that was compared, in order.
        sources: by day, which source_ids the lake has listens of; no day that has none.
    """

    days: list[DayFinding] = field(default_factory=list)
    sources: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class InFlight:
    """What is at work, and may account for a difference.

    Attributes:
        sources: source_ids of what is not at its end.
        days: of which such sources have had listens.
        is_unknown: whether a run is alive that has none of these, as a rebuild: its days only it knows.
    """

    sources: frozenset[str]
    days: frozenset[str]
    is_unknown: bool

    def may_explain(self, day: str, sources: Collection[str]) -> bool:
        """Whether what is at work may be why a day differs of which these sources have rows."""
        return self.is_unknown or day in self.days or not self.sources.isdisjoint(sources)


@dataclass(frozen=True)
class DayInspector:
    """Compares days.

    Attributes:
        dynamodb: a client that takes and gives plain values (see clients.dynamodb).
        track_metrics: whether TRACK items are published.
    """

    dynamodb: Any
    metrics_table: str
    files_table: str
    lake: LakeReader
    executions: Executions
    track_metrics: bool

    def compare(self, days: Iterable[str], entries: Sequence[Entry]) -> DayComparison:
        """Hold the items of days against the lake.

        Nothing stands still meanwhile: a day that seems to differ is read again, and a difference counts only if it
        stays while nothing is at work that may account for it.

        Args:
            days: YYYY-MM-DD.
            entries: of the ledger: all that are not at rest.
        """
        wanted = sorted(set(days))
        found = DayComparison()
        for start in range(0, len(wanted), _DAYS_AT_ONCE):
            some = wanted[start : start + _DAYS_AT_ONCE]
            counted, differing = self._look(some)
            found.sources.update(counted.sources)
            again = [day.day for day in differing if day.state is not DayState.OK]
            if again:
                # Who is at work is asked before the second look: what ends after it has published by then.
                in_flight = self._in_flight(entries)
                recounted, second = self._look(again)
                settled = {day.day: _explained(day, in_flight, recounted) for day in second}
                differing = [settled.get(day.day, day) for day in differing]
            found.days.extend(differing)
        return found

    def _look(self, days: list[str]) -> tuple[Recount, list[DayFinding]]:
        fences = self._fences(days)
        listens = self.lake.listens()
        snapshot = listens.snapshot if listens else None
        if listens is None or snapshot is None:
            return Recount([], {}), [_of_lost_lake(day, fences[day]) for day in days]
        counted = recount(listens.rows(days), track_metrics=self.track_metrics)
        by_day: dict[str, list[dict[str, Any]]] = {day: [] for day in days}
        for item in counted.items:
            by_day[item.get("day") or item["track_day"]].append(item)
        return counted, [
            _of_lost_lake(day, fences[day])
            if fences[day].get("keys") and fences[day]["lake_uuid"] != snapshot.uuid
            else self._of_day(day, by_day[day], fences[day])
            for day in days
        ]

    def _of_day(self, day: str, expected: list[dict[str, Any]], fence: dict[str, Any]) -> DayFinding:
        found = drift.drift(self.dynamodb, self.metrics_table, day, expected)
        version = int(fence.get("version", 0))
        if not found:
            return DayFinding(day, DayState.OK, version=version)
        told = [str(each) for each in found[:_TOLD]]
        why = "its items are not what the lake says" if fence else "it was never published"
        return DayFinding(day, DayState.METRIC_DRIFT, why, told, len(found), version)

    def _fences(self, days: list[str]) -> dict[str, dict[str, Any]]:
        """The fence items by day; {} of a day that was never published."""
        keys = [{"source_id": f"FENCE#{day}"} for day in days]
        found = batch_get(self.dynamodb, self.files_table, keys)
        return {day: {} for day in days} | {item["source_id"].partition("#")[2]: item for item in found}

    def _in_flight(self, entries: Sequence[Entry]) -> InFlight:
        moving = [entry for entry in entries if entry.status not in FINISHED]
        known = {entry.batch_id for entry in moving}
        return InFlight(
            frozenset(entry.source.source_id for entry in moving),
            frozenset(day for entry in moving for day in entry.days),
            is_unknown=any(batch_and_attempt(name)[0] not in known for name in self.executions.running()),
        )


def _explained(day: DayFinding, in_flight: InFlight, counted: Recount) -> DayFinding:
    if day.state is DayState.METRIC_DRIFT and in_flight.may_explain(day.day, counted.sources.get(day.day, ())):
        return DayFinding(day.day, DayState.IN_FLIGHT, "a run that has not ended is at it", version=day.version)
    return day


def _of_lost_lake(day: str, fence: dict[str, Any]) -> DayFinding:
    if not fence.get("keys"):
        return DayFinding(day, DayState.OK)
    why = "its items are of a lake that is gone: music-streams rebuild --from-archive"
    return DayFinding(day, DayState.LAKE_LOST, why, version=int(fence["version"]))
