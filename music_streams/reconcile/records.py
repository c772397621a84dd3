"""The figures of a date of arrival: volume, statuses, time to publication against the latency SLA, time by stage."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import quantiles
from typing import Any

from music_streams import clock
from music_streams.display import seconds_between
from music_streams.reconcile.field_types import well_typed
from music_streams.state.ledger import Entry
from music_streams.state.statuses import REFUSED_OR_FAILED, WITHOUT_ROWS

STAGES = ("judged", "started", "published", "archived")  # codespell:ignore judged - stored in the records
_HOURS = 24


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of durations, in seconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Percentiles | None":
        """Return percentiles, interpolated as ``statistics.quantiles`` does inclusively; None without any values."""
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
        target_seconds: the latency SLA, from arrival until the metrics are published.
        arrivals, arrivals_by_hour: number of files, and by hour of arrival.
        published_by_hour: number of files by the hour of their first publication, on any date.
        statuses, reasons: number of files by status; of quarantined and failed files by reason.
        rows_read, rows_accepted, rejected: their rows, the rejected ones by reason.
        due: number of files that are published, or older than target_seconds.
        met: number of files that were published within target_seconds.
        to_published: time to publication of the published files.
        stages: time by stage, of the files that were archived in their first attempt.
        cost_micro_usd: cost of all their settled runs, in millionths of a US dollar.
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
        """The share of due files that were published in time, 0 … 1; None if no file is due."""
        return self.met / self.due if self.due else None

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON, for :meth:`from_json` and for people."""
        return {**asdict(self), "attainment": self.attainment}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "DayRecord":
        """Return the record of an as_json result. Raises LookupError, TypeError, ValueError if it has another form."""
        fields = {name: value for name, value in raw.items() if name != "attainment"}
        published = fields["to_published"]
        stages = {name: Percentiles(**percentiles) for name, percentiles in fields["stages"].items()}
        record = cls(**{**fields, "to_published": Percentiles(**published) if published else None, "stages": stages})
        if not len(record.arrivals_by_hour) == len(record.published_by_hour) == _HOURS:
            raise ValueError("must have a number for each hour")
        return well_typed(record)


def record(day: str, entries: Iterable[Entry], target_seconds: float, now: str) -> DayRecord:
    """Return the figures of a date (YYYY-MM-DD); entries of other dates, and of reference files, are left out."""
    files = [e for e in entries if e.source.received_at[:10] == day and not e.source.kind.is_reference]
    with_sla = [entry for entry in files if entry.status not in WITHOUT_ROWS]
    spans = (seconds_between(entry.source.received_at, entry.first_published_at) for entry in with_sla)
    seconds = [span for span in spans if span is not None]
    overdue = clock.seconds_before(now, target_seconds)
    late = sum(not entry.first_published_at and entry.source.received_at < overdue for entry in with_sla)
    reasons = Counter(entry.reason for entry in files if entry.status in REFUSED_OR_FAILED)
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
        reasons=dict(reasons),
        rows_read=sum(entry.rows_read for entry in files),
        rows_accepted=sum(entry.rows_accepted for entry in files),
        rejected=dict(rejected),
        due=len(seconds) + late,
        met=sum(span <= target_seconds for span in seconds),
        to_published=Percentiles.of(seconds),
        stages=_stages(files),
        cost_micro_usd=sum(entry.total_cost_micro_usd for entry in files),
    )


def _by_hour(timestamps: Iterable[str]) -> list[int]:
    counts = Counter(int(timestamp[11:13]) for timestamp in timestamps)
    return [counts[hour] for hour in range(_HOURS)]


def _stages(files: Iterable[Entry]) -> dict[str, Percentiles]:
    spans: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for entry in files:
        if entry.attempt > 1 or not entry.archived_at:
            continue  # The timestamps of a file that ran again are from different attempts.
        times = (entry.source.received_at, entry.validated_at, entry.started_at, entry.published_at, entry.archived_at)
        for stage, (before, after) in zip(STAGES, pairwise(times), strict=True):
            spans[stage].append(max(seconds_between(before, after) or 0.0, 0.0))  # S3's clock may be ahead of ours.
    return {stage: percentiles for stage, of_stage in spans.items() if (percentiles := Percentiles.of(of_stage))}
