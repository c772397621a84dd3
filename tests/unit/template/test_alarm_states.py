"""The alarm on late files is silent on a new stack, and heard when files are late or nobody measures them any more."""

import pytest

from tests.template import of_type
from tests.unit.template.alarm_states import ALARM, INSUFFICIENT_DATA, OK, notified, state_of

NOTHING, IN_TIME, LATE = None, 0.0, 1000.0  # seconds; what is measured in a period


@pytest.fixture(scope="module")
def alarm(translated):
    """Its properties, the threshold as a deployment has it by default."""
    found = of_type(translated, "AWS::CloudWatch::Alarm")["LateFilesAlarm"]
    return {**found, "Threshold": translated["Parameters"][found["Threshold"]["Ref"]]["Default"]}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([NOTHING] * 20, [], id="a new stack that has not measured yet"),
        pytest.param([NOTHING] * 4 + [IN_TIME] * 20, [], id="a new stack"),
        pytest.param([IN_TIME] * 9 + [LATE] + [IN_TIME] * 9, [], id="once is chance"),
        pytest.param([IN_TIME] * 9 + [LATE] * 9, [ALARM], id="late"),
        pytest.param([IN_TIME] * 9 + [NOTHING] + [IN_TIME] * 9, [], id="a gap"),
        pytest.param([IN_TIME] * 9 + [NOTHING] * 9, [INSUFFICIENT_DATA], id="nobody measures any more"),
        pytest.param([IN_TIME] + [NOTHING] * 9, [INSUFFICIENT_DATA], id="nobody measures after the first time"),
        pytest.param([LATE] * 9 + [NOTHING] * 9, [ALARM, INSUFFICIENT_DATA], id="late, then nobody measures"),
    ],
)
def test_who_is_notified_of_what(alarm, points, expected):
    assert notified(alarm, points) == expected


@pytest.mark.parametrize(
    ("missing", "points", "expected"),
    [
        ("breaching", [NOTHING] * 20, [ALARM]),
        ("notBreaching", [IN_TIME] * 9 + [NOTHING] * 9, []),
        ("ignore", [IN_TIME] * 9 + [NOTHING] * 9, []),
    ],
)
def test_no_other_treatment_of_missing_data_does_both(alarm, missing, points, expected):
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
def test_missing_points_count_only_where_there_are_too_few_others(points, states):
    values = [{"0": IN_TIME, "X": LATE, "-": NOTHING}[point] for point in points]
    alarm = {"EvaluationPeriods": 3, "Threshold": 900, "ComparisonOperator": "GreaterThanThreshold"}
    treatments = ("missing", "breaching", "notBreaching")
    assert tuple(state_of({**alarm, "TreatMissingData": each}, values, OK) for each in treatments) == states
