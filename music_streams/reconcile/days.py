"""Comparing the items of days in MetricsTable with the lake."""

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
_DIFFERENCES_LISTED = 10  # of a day


@dataclass(frozen=True)
class DayComparison:
    """The result of a comparison.

    Attributes:
        days: every compared day, in order.
        sources: by day, the source_ids with listens in the lake; days without listens are left out.
    """

    days: list[DayFinding] = field(default_factory=list)
    sources: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Unfinished:
    """The unfinished sources, in flight or FAILED, and running executions: they may be the reason for a difference.

    Attributes:
        sources: source_ids of the sources that are not finished.
        days: the days of which these sources have listens.
        has_other_execution: whether an execution of none of these sources runs, such as a rebuild; any day may change.
    """

    sources: frozenset[str]
    days: frozenset[str]
    has_other_execution: bool

    def may_explain(self, day: str, sources: Collection[str]) -> bool:
        """Whether it may be the reason that a day differs, given the sources with rows of that day."""
        return self.has_other_execution or day in self.days or not self.sources.isdisjoint(sources)


@dataclass(frozen=True)
class DayInspector:
    """Compares days.

    Attributes:
        dynamodb: a client that accepts and returns plain Python values (see clients.dynamodb).
        track_metrics: whether TRACK items are published.
    """

    dynamodb: Any
    metrics_table: str
    files_table: str
    lake: LakeReader
    executions: Executions
    track_metrics: bool

    def compare(self, days: Iterable[str], entries: Sequence[Entry]) -> DayComparison:
        """Compare the items of days with the lake.

        The pipeline keeps running meanwhile: a day that differs is read again, and a difference counts only if it
        remains and nothing unfinished may be the reason for it.

        Args:
            days: YYYY-MM-DD.
            entries: at least all unfinished ledger entries; finished ones are ignored.
        """
        wanted = sorted(set(days))
        comparison = DayComparison()
        for start in range(0, len(wanted), _DAYS_AT_ONCE):
            counted, findings = self._read(wanted[start : start + _DAYS_AT_ONCE])
            comparison.sources.update(counted.sources)
            again = [day.day for day in findings if day.state is not DayState.OK]
            if again:
                # Before the second reading: it contains what an execution that is not listed has published.
                unfinished = self._unfinished(entries)
                recounted, second = self._read(again)
                explained = {day.day: _explained(day, unfinished, recounted) for day in second}
                findings = [explained.get(day.day, day) for day in findings]
            comparison.days.extend(findings)
        return comparison

    def _read(self, days: list[str]) -> tuple[Recount, list[DayFinding]]:
        fences = self._fences(days)
        listens = self.lake.listens()
        snapshot = listens.snapshot if listens else None
        if listens is None or snapshot is None:
            return Recount([], {}), [_without_lake(day, fences[day]) for day in days]
        counted = recount(listens.rows(days), track_metrics=self.track_metrics)
        by_day: dict[str, list[dict[str, Any]]] = {day: [] for day in days}
        for item in counted.items:
            by_day[item.get("day") or item["track_day"]].append(item)
        return counted, [
            _without_lake(day, fences[day])
            if fences[day].get("keys") and fences[day]["lake_uuid"] != snapshot.uuid
            else self._of_day(day, by_day[day], fences[day])
            for day in days
        ]

    def _of_day(self, day: str, expected: list[dict[str, Any]], fence: dict[str, Any]) -> DayFinding:
        differences = drift.drift(self.dynamodb, self.metrics_table, day, expected)
        version = int(fence.get("version", 0))
        if not differences:
            return DayFinding(day, DayState.OK, version=version)
        listed = [str(difference) for difference in differences[:_DIFFERENCES_LISTED]]
        why = "its items differ from the lake" if fence else "the day was never published"
        return DayFinding(day, DayState.METRIC_DRIFT, why, listed, len(differences), version)

    def _fences(self, days: list[str]) -> dict[str, dict[str, Any]]:
        """Return the fence items by day; {} for a day that was never published."""
        keys = [{"source_id": f"FENCE#{day}"} for day in days]
        items = batch_get(self.dynamodb, self.files_table, keys)
        return {day: {} for day in days} | {item["source_id"].partition("#")[2]: item for item in items}

    def _unfinished(self, entries: Sequence[Entry]) -> Unfinished:
        found = [entry for entry in entries if entry.status not in FINISHED]
        known = {entry.batch_id for entry in found}
        return Unfinished(
            frozenset(entry.source.source_id for entry in found),
            frozenset(day for entry in found for day in entry.days),
            has_other_execution=any(batch_and_attempt(name)[0] not in known for name in self.executions.running()),
        )


def _explained(day: DayFinding, unfinished: Unfinished, counted: Recount) -> DayFinding:
    if day.state is DayState.METRIC_DRIFT and unfinished.may_explain(day.day, counted.sources.get(day.day, ())):
        return DayFinding(
            day.day,
            DayState.IN_FLIGHT,
            "an unfinished file or a running execution may be the reason",
            version=day.version,
        )
    return day


def _without_lake(day: str, fence: dict[str, Any]) -> DayFinding:
    if not fence.get("keys"):
        return DayFinding(day, DayState.OK)
    why = "its items come from a lake that no longer exists: run music-streams rebuild --from-archive"
    return DayFinding(day, DayState.LAKE_LOST, why, version=int(fence["version"]))
