"""A day's arrivals in numbers: volume, where they stand, time to publication against the promise, time by stage."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import quantiles
from typing import Any

from music_streams import clock
from music_streams.display import between
from music_streams.reconcile.field_types import well_typed
from music_streams.state.ledger import Entry
from music_streams.state.statuses import REFUSED_OR_FAILED, WITHOUT_ROWS

STAGES = ("judged", "started", "published", "archived")
_HOURS = 24


@dataclass(frozen=True)
class Percentiles:
    """Of some spans, in seconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Percentiles | None":
        """Interpolated between the values, as ``statistics.quantiles`` does inclusively; None where there are none."""
        if not seconds:
            return None
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0])
        cuts = quantiles(seconds, n=100, method="inclusive")
        return cls(*(round(cuts[percent - 1], 3) for percent in (50, 95, 99)))


@dataclass(frozen=True)
class DayRecord:
    """The streams files that arrived on a UTC date.

    Attributes:
        arrivals: how many there are; the same by hour of arrival.
        published_by_hour: by the hour at which their metrics first stood, on whichever date.
        statuses, reasons: how many stand where, and why the quarantined and failed ones do.
        rows_read, rows_accepted, rejected: their rows, the rejected ones by reason.
        target_seconds: the promise: from arrival until the metrics stand.
        due: files of which that can be said: published, or not published and older than that.
        met: those of them that kept it.
        to_published: over the published ones.
        stages: over those that came through at their first attempt, by STAGES.
        cost_micro_usd: of all their runs that were settled, in millionths of a US dollar.
    """

    day: str
    made_at: str
    target_seconds: float
    arrivals: int = 0
    arrivals_by_hour: list[int] = field(default_factory=lambda: [0] * _HOURS)
    published_by_hour: list[int] = field(default_factory=lambda: [0] * _HOURS)
    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    rows_read: int = 0
    rows_accepted: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    due: int = 0
    met: int = 0
    to_published: Percentiles | None = None
    stages: dict[str, Percentiles] = field(default_factory=dict)
    cost_micro_usd: int = 0

    @property
    def attainment(self) -> float | None:
        """The share of the files that were published in time, 0 … 1; None where none was due."""
        return self.met / self.due if self.due else None

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`, and for people."""
        return {**asdict(self), "attainment": self.attainment}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "DayRecord":
        """What :meth:`as_json` told.

        Raises:
            LookupError, TypeError, ValueError: it is something else.
        """
        known = {name: value for name, value in told.items() if name != "attainment"}
        published = known["to_published"]
        stages = {name: Percentiles(**each) for name, each in known["stages"].items()}
        made = cls(**{**known, "to_published": Percentiles(**published) if published else None, "stages": stages})
        if not len(made.arrivals_by_hour) == len(made.published_by_hour) == _HOURS:
            raise ValueError("must be a number for each hour")
        return well_typed(made)


def record(day: str, entries: Iterable[Entry], target_seconds: float, now: str) -> DayRecord:
    """The numbers of a day.

    Args:
        day: YYYY-MM-DD.
        entries: of the ledger; those of other dates, and reference files, are left out.
        target_seconds: the promise.
        now: a stamp.
    """
    files = [e for e in entries if e.source.received_at[:10] == day and not e.source.kind.is_reference]
    promised = [entry for entry in files if entry.status not in WITHOUT_ROWS]
    spans = (between(entry.source.received_at, entry.first_published_at) for entry in promised)
    seconds = [span for span in spans if span is not None]
    overdue = clock.seconds_before(now, target_seconds)
    late = sum(not entry.first_published_at and entry.source.received_at < overdue for entry in promised)
    aside = [entry.reason for entry in files if entry.status in REFUSED_OR_FAILED]
    rejected: Counter[str] = Counter()
    for entry in files:
        rejected.update(entry.rejected)
    return DayRecord(
        day=day,
        made_at=now,
        target_seconds=target_seconds,
        arrivals=len(files),
        arrivals_by_hour=_by_hour(entry.source.received_at for entry in files),
        published_by_hour=_by_hour(entry.first_published_at for entry in files if entry.first_published_at),
        statuses=dict(Counter(entry.status.value for entry in files)),
        reasons=dict(Counter(aside)),
        rows_read=sum(entry.rows_read for entry in files),
        rows_accepted=sum(entry.rows_accepted for entry in files),
        rejected=dict(rejected),
        due=len(seconds) + late,
        met=sum(span <= target_seconds for span in seconds),
        to_published=Percentiles.of(seconds),
        stages=_stages(files),
        cost_micro_usd=sum(entry.total_cost_micro_usd for entry in files),
    )


def _by_hour(stamps: Iterable[str]) -> list[int]:
    counts = Counter(int(stamp[11:13]) for stamp in stamps)
    return [counts[hour] for hour in range(_HOURS)]


def _stages(files: Iterable[Entry]) -> dict[str, Percentiles]:
    spans: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for entry in files:
        if entry.attempt > 1 or not entry.archived_at:
            continue  # the stamps of a file that ran again are those of different attempts
        stamps = (entry.source.received_at, entry.validated_at, entry.started_at, entry.published_at, entry.archived_at)
        for stage, (before, after) in zip(STAGES, pairwise(stamps), strict=True):
            spans[stage].append(max(between(before, after) or 0.0, 0.0))  # S3 and we have clocks of our own
    return {stage: found for stage, of_stage in spans.items() if (found := Percentiles.of(of_stage))}
