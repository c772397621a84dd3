"""The plan of a reconciliation: the repairs to request, the worst and oldest first, up to a limit.

Files come first, then days, then the replays of PARKED files: their metrics are right for the songs of their last run.

A plan is carried out by sending its messages to the arrivals queue. They are idempotent.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from music_streams import policy
from music_streams.reconcile.findings import DayState, FileFinding, Findings, State
from music_streams.state import requests
from music_streams.state.object_keys import kind_of
from music_streams.state.requests import Action, Rebuild, SourceRequest


class RepairKind(StrEnum):
    """The kinds of repairs."""

    REDRIVE = "redrive"
    REPLAY = "replay"
    PUT_ASIDE = "put_aside"
    REBUILD = "rebuild"

    @property
    def label(self) -> str:
        """The name for people."""
        return "quarantine" if self is RepairKind.PUT_ASIDE else self.value


@dataclass(frozen=True)
class Repair:
    """One message to send, and what to wait for afterwards.

    Attributes:
        name: name of the file, or the days, for people.
        source_id, attempt: the attempt to wait for; '' and 0 for a rebuild.
        batch_id: the batch_id of a rebuild's run; '' for other repairs.
    """

    what: RepairKind
    name: str
    why: str
    message: str
    source_id: str = ""
    attempt: int = 0
    batch_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the repair as JSON, for :meth:`from_json` and for people."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Repair":
        """Return the repair from the result of :meth:`as_json`."""
        return cls(**{**raw, "what": RepairKind(raw["what"])})


@dataclass(frozen=True)
class Plan:
    """The repairs to request now; a later reconciliation requests the `left` ones over the limit."""

    repairs: list[Repair]
    left: int = 0


def plan(
    findings: Findings, at: str, max_repairs: int, attempts_before_quarantine: int = policy.ATTEMPTS_BEFORE_QUARANTINE
) -> Plan:
    """Return the repairs of the findings.

    Args:
        findings: the findings of a reconciliation.
        at: a timestamp that distinguishes this plan's rebuilds from those of other plans.
        max_repairs: the most repairs to request; a rebuild of up to DAYS_PER_REBUILD days is one.
        attempts_before_quarantine: number of failed attempts after which a file is quarantined, if other files were
            published meanwhile.
    """
    to_repair = [file for file in findings.bad_files if file.message]
    files = [file for file in to_repair if file.state is not State.PARKED]
    repairs = [_of_file(file, attempts_before_quarantine) for file in files]
    # A file's repair computes its days again. A rebuild before it would remove the file's listens from the metrics.
    of_files = {day for file in files for day in file.days}
    drifted = [day.day for day in findings.days if day.state is DayState.METRIC_DRIFT and day.day not in of_files]
    most = policy.DAYS_PER_REBUILD
    slices = [drifted[start : start + most] for start in range(0, len(drifted), most)]
    repairs += [_rebuild(days, at) for days in slices]
    repairs += [_repair(RepairKind.REPLAY, file) for file in to_repair if file.state is State.PARKED]
    return Plan(repairs[:max_repairs], max(0, len(repairs) - max_repairs))


def _of_file(file: FileFinding, attempts_before_quarantine: int) -> Repair:
    if _is_likely_cause(file, attempts_before_quarantine):
        message = requests.to_message(SourceRequest(file.source_id, file.attempt - 1, Action.PUT_ASIDE))
        why = f"{file.failures} attempts failed, and other files were published in between"
        return Repair(RepairKind.PUT_ASIDE, file.name, why, message, file.source_id, file.attempt)
    is_archived = file.state is State.MISSING and file.status
    return _repair(RepairKind.REPLAY if is_archived else RepairKind.REDRIVE, file)


def _repair(kind: RepairKind, file: FileFinding) -> Repair:
    return Repair(kind, file.name, file.why, file.message, file.source_id, file.attempt)


def _is_likely_cause(file: FileFinding, attempts_before_quarantine: int) -> bool:
    """Whether the file itself is the likely cause of its failures, rather than a fault of the pipeline."""
    is_streams = (kind := kind_of(file.key)) is not None and not kind.is_reference
    has_failed_often = file.state is State.FAILED and file.failures >= attempts_before_quarantine
    return is_streams and has_failed_often and file.is_outlived


def _rebuild(days: Sequence[str], at: str) -> Repair:
    request = Rebuild(list(days), at)
    name = days[0] if len(days) == 1 else f"{days[0]} … {days[-1]}"
    why, message = "items differ from the lake", requests.to_message(request)
    return Repair(RepairKind.REBUILD, name, why, message, batch_id=request.batch_id)
