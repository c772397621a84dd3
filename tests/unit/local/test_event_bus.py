import json

import pytest

from local.event_bus import fill_template, get_path, target_input

EVENT = {"source": "aws.s3", "detail": {"name": 'a "quoted" name', "sizes": [1, 2], "bucket": {"name": "b"}}}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, EVENT),
        ({"Input": '{"constant": 1}'}, {"constant": 1}),
        ({"InputPath": "$.detail.bucket"}, {"name": "b"}),
        (
            {"InputTransformer": {"InputPathsMap": {"n": "$.detail.name"}, "InputTemplate": '{"key": <n>}'}},
            {"key": 'a "quoted" name'},
        ),
    ],
)
def test_a_target_receives_its_configured_input(target, expected):
    assert json.loads(target_input(target, EVENT)) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.source", "aws.s3"),
        ("$.detail.sizes[1]", 2),
        ("$.detail.sizes[5]", None),
        ("$.detail.nothing.at.all", None),
        ("$", EVENT),
    ],
)
def test_a_path_selects_a_value(path, value):
    assert get_path(EVENT, path) == value


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"file <name> arrived"', '"file x\\"y arrived"'),
        ('{"a": <name>, "b": <size>, "c": "<size>"}', '{"a": "x\\"y", "b": 7, "c": "7"}'),
        ("<unknown>", "<unknown>"),
    ],
)
def test_placeholders_of_a_template_are_replaced(template, expected):
    assert fill_template(template, {"name": 'x"y', "size": 7}) == expected
