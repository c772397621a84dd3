"""The states that CloudWatch gives an alarm on one metric, and what it notifies of.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from collections.abc import Iterator
from typing import Any

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
_ACTIONS = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}
_LOOKS_FURTHER = 3  # periods that CloudWatch looks at besides EvaluationPeriods; the number varies


def notified(alarm: dict[str, Any], points: list[float | None]) -> list[str]:
    """The states whose actions are run, in order: those that an alarm changes into, where it has actions for them.

    Args:
        alarm: its properties; all its EvaluationPeriods must breach.
        points: of the metric, a period each, from the creation of the alarm on; None where there is none.
    """
    return [state for state in _changes(alarm, points) if alarm.get(_ACTIONS[state])]


def _changes(alarm: dict[str, Any], points: list[float | None]) -> Iterator[str]:
    state = INSUFFICIENT_DATA  # of a new alarm
    for now in range(1, len(points) + 1):
        new = state_of(alarm, points[:now], state)
        if new != state:
            yield new
        state = new


def state_of(alarm: dict[str, Any], points: list[float | None], before: str) -> str:
    """The state after some points, missing ones of which count only where there are too few others."""
    wanted: int = alarm["EvaluationPeriods"]
    assert alarm.get("DatapointsToAlarm", wanted) == wanted
    known = [point for point in points[-wanted - _LOOKS_FURTHER :] if point is not None][-wanted:]
    breaching = [_breaches(alarm, point) for point in known]
    if len(known) < wanted:
        missing = alarm.get("TreatMissingData", "missing")
        if missing == "ignore":
            return before
        if missing == "missing" and not known:
            return INSUFFICIENT_DATA
        if missing != "missing":
            breaching.append(missing == "breaching")
    return ALARM if all(breaching) else OK


def _breaches(alarm: dict[str, Any], point: float) -> bool:
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    return point > alarm["Threshold"]
