"""The alarm on late files does not notify on a new stack, but does if files are late or the gauge is missing."""

import pytest

from tests.template import of_type
from tests.unit.template.alarm_states import ALARM, INSUFFICIENT_DATA, OK, notified, state_of

NOTHING, IN_TIME, LATE = None, 0.0, 1000.0  # seconds, as measured in a period


@pytest.fixture(scope="module")
def alarm(translated):
    """The alarm's properties, with the default threshold."""
    properties = of_type(translated, "AWS::CloudWatch::Alarm")["LateFilesAlarm"]
    return {**properties, "Threshold": translated["Parameters"][properties["Threshold"]["Ref"]]["Default"]}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([NOTHING] * 20, [], id="new stack without a measurement"),
        pytest.param([NOTHING] * 4 + [IN_TIME] * 20, [], id="new stack"),
        pytest.param([IN_TIME] * 9 + [LATE] + [IN_TIME] * 9, [], id="late once"),
        pytest.param([IN_TIME] * 9 + [LATE] * 9, [ALARM], id="late"),
        pytest.param([IN_TIME] * 9 + [NOTHING] + [IN_TIME] * 9, [], id="one missing point"),
        pytest.param([IN_TIME] * 9 + [NOTHING] * 9, [INSUFFICIENT_DATA], id="gauge is missing"),
        pytest.param([IN_TIME] + [NOTHING] * 9, [INSUFFICIENT_DATA], id="gauge is missing after one point"),
        pytest.param([LATE] * 9 + [NOTHING] * 9, [ALARM, INSUFFICIENT_DATA], id="late, then gauge is missing"),
    ],
)
def test_alarm_notifies_of_late_files_and_of_a_missing_gauge(alarm, points, expected):
    assert notified(alarm, points) == expected


@pytest.mark.parametrize(
    ("missing", "points", "expected"),
    [
        ("breaching", [NOTHING] * 20, [ALARM]),
        ("notBreaching", [IN_TIME] * 9 + [NOTHING] * 9, []),
        ("ignore", [IN_TIME] * 9 + [NOTHING] * 9, []),
    ],
)
def test_other_treatments_of_missing_data_notify_too_early_or_never(alarm, missing, points, expected):
    assert notified({**alarm, "TreatMissingData": missing}, points) == expected


@pytest.mark.parametrize(
    ("points", "states"),
    [
        # missing, breaching, notBreaching; of three periods, X breaching, 0 not, - missing
        ("0-X-X", (OK, OK, OK)),
        ("0----", (OK, OK, OK)),
        ("-----", (INSUFFICIENT_DATA, ALARM, OK)),
        ("0XX-X", (ALARM, ALARM, ALARM)),
        ("--X--", (ALARM, ALARM, OK)),
    ],
)
def test_missing_points_count_only_if_there_are_too_few_others(points, states):
    values = [{"0": IN_TIME, "X": LATE, "-": NOTHING}[point] for point in points]
    alarm = {"EvaluationPeriods": 3, "Threshold": 900, "ComparisonOperator": "GreaterThanThreshold"}
    treatments = ("missing", "breaching", "notBreaching")
    assert tuple(state_of({**alarm, "TreatMissingData": each}, values, OK) for each in treatments) == states
