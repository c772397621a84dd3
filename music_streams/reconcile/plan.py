"""The plan of a reconciliation: which repairs to ask for, no more than so many at once, the worst and oldest first.

Carrying it out is sending its messages into the arrivals queue; sending one twice does no harm.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from music_streams import policy
from music_streams.reconcile.findings import DayState, FileFinding, Findings, State
from music_streams.state import requests
from music_streams.state.object_keys import kind_of
from music_streams.state.requests import Action, Attempt, Rebuild


class RepairKind(StrEnum):
    """What a repair does."""

    REDRIVE = "redrive"
    REPLAY = "replay"
    PUT_ASIDE = "put_aside"
    REBUILD = "rebuild"


@dataclass(frozen=True)
class Repair:
    """One message to send, and how to tell that it was carried out.

    Attributes:
        name: of the file, or the days, for people.
        source_id, attempt: whose end is awaited; '' and 0 of a rebuild.
        batch_id: of a rebuild, the run's; else ''.
    """

    what: RepairKind
    name: str
    why: str
    message: str
    source_id: str = ""
    attempt: int = 0
    batch_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """For :meth:`from_json`, and for people."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Repair":
        """What :meth:`as_json` told."""
        return cls(**{**told, "what": RepairKind(told["what"])})


@dataclass(frozen=True)
class Plan:
    """What to do now.

    Attributes:
        left: how many repairs wait for another time, because of the cap.
    """

    repairs: list[Repair]
    left: int = 0


def plan(
    findings: Findings, at: str, max_repairs: int, attempts_before_quarantine: int = policy.ATTEMPTS_BEFORE_QUARANTINE
) -> Plan:
    """The repairs of what was found.

    Args:
        findings: what was found.
        at: a stamp that tells this plan's rebuilds from those of others.
        max_repairs: how many to ask for at most; a rebuild of up to DAYS_PER_REBUILD days is one.
        attempts_before_quarantine: a file over which so many attempts failed is quarantined, where others were
            published meanwhile.
    """
    files = [file for file in findings.gaps if file.message]
    repairs = [_of_file(file, attempts_before_quarantine) for file in files]
    # A file's repair computes its days anew; before it, a rebuild would make its metrics disappear.
    of_files = {day for file in files for day in file.days}
    drifted = [day.day for day in findings.days if day.state is DayState.METRIC_DRIFT and day.day not in of_files]
    most = policy.DAYS_PER_REBUILD
    slices = [drifted[start : start + most] for start in range(0, len(drifted), most)]
    repairs += [_rebuild(days, at) for days in slices]
    return Plan(repairs[:max_repairs], max(0, len(repairs) - max_repairs))


def _of_file(file: FileFinding, attempts_before_quarantine: int) -> Repair:
    if _is_likely_cause(file, attempts_before_quarantine):
        message = requests.to_message(Attempt(file.source_id, file.attempt - 1, Action.PUT_ASIDE))
        why = f"{file.failures} attempts failed, and meanwhile other files went through"
        return Repair(RepairKind.PUT_ASIDE, file.name, why, message, file.source_id, file.attempt)
    what = RepairKind.REPLAY if file.state is State.MISSING and file.status else RepairKind.REDRIVE
    return Repair(what, file.name, file.why, file.message, file.source_id, file.attempt)


def _is_likely_cause(file: FileFinding, attempts_before_quarantine: int) -> bool:
    """Whether a file fails by itself: else the pipeline may be, or may have been, what is broken."""
    is_streams = (kind := kind_of(file.key)) is not None and not kind.is_reference
    has_failed_often = file.state is State.FAILED and file.failures >= attempts_before_quarantine
    return is_streams and has_failed_often and file.is_outlived


def _rebuild(days: Sequence[str], at: str) -> Repair:
    request = Rebuild(list(days), at)
    name = days[0] if len(days) == 1 else f"{days[0]} … {days[-1]}"
    why = "the items are not what the lake says"
    return Repair(RepairKind.REBUILD, name, why, requests.to_message(request), batch_id=request.batch_id)
