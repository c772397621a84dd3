"""Thresholds are parameters: alarms and graphs refer to them and do not repeat their values."""

import re
from collections.abc import Iterator
from typing import Any

from tests.template import Template, of_type
from tests.unit.template.faults import finds, put

_ANY_OR_NONE = {0, 1}  # a threshold that no deployment changes: something happened, or nothing
_AMOUNT = re.compile(r"\b\d[\d.,]*\s*(s|%|seconds|minutes|hours|days|attempts|rows|files)\b")
_LINE = re.compile(r'"value":\s*\d[\d.]*')


@finds(put("LateFilesAlarm/Threshold", 900), "LateFilesAlarm")
def every_threshold_of_an_alarm_is_a_parameter(template: Template) -> Iterator[str]:
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        if not isinstance(alarm["Threshold"], dict) and alarm["Threshold"] not in _ANY_OR_NONE:
            yield f"{name}: its threshold {alarm['Threshold']} is not a parameter"


@finds(put("LateFilesAlarm/AlarmDescription", "A file waits for longer than 15 minutes."), "says 15 minutes")
def no_text_of_an_alarm_repeats_the_value_of_a_parameter(template: Template) -> Iterator[str]:
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        if amount := _AMOUNT.search(_text(alarm["AlarmDescription"])):
            yield f"{name}: says {amount[0]}, whatever the deployment has set"


@finds(put("Dashboard/DashboardBody/Fn::Sub/0", '{"label": "SLA", "value": 900}'), '"value": 900')
def every_annotation_of_a_graph_is_a_parameter(template: Template) -> Iterator[str]:
    for name, dashboard in of_type(template, "AWS::CloudWatch::Dashboard").items():
        for value in _LINE.findall(_text(dashboard["DashboardBody"])):
            yield f"{name}: draws a line at {value}, whatever the deployment has set"


def _text(value: Any) -> str:
    """Return a text of the template without resolving its parameters."""
    if isinstance(value, str):
        return value
    text = value["Fn::Sub"]
    return text if isinstance(text, str) else str(text[0])
