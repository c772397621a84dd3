"""The states that CloudWatch gives an alarm on one metric, and its notifications.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from collections.abc import Iterator
from typing import Any

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
_ACTIONS = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}
_EXTRA_PERIODS = 3  # that CloudWatch evaluates besides EvaluationPeriods; the number varies


def notified(alarm: dict[str, Any], points: list[float | None]) -> list[str]:
    """Return the states whose actions run, in order: those that the alarm changes to and has actions for.

    Args:
        alarm: the alarm's properties; all its EvaluationPeriods must breach.
        points: the metric's values, one per period since the alarm was created; None if there is no value.
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
    """Return the state after some points; missing points count only if there are too few others."""
    needed: int = alarm["EvaluationPeriods"]
    assert alarm.get("DatapointsToAlarm", needed) == needed
    known = [point for point in points[-needed - _EXTRA_PERIODS :] if point is not None][-needed:]
    breaching = [_breaches(alarm, point) for point in known]
    if len(known) < needed:
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
