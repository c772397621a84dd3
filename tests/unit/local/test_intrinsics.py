import pytest

from local.errors import TemplateError
from local.intrinsics import NO_VALUE, Resolver

ATTRIBUTES = {("Queue", "Arn"): "arn:aws:sqs:eu-west-1:1:queue", ("Outer", "Inner.Arn"): "nested"}


@pytest.fixture
def resolver():
    conditions = {
        "IsLive": {"Fn::Equals": [{"Ref": "Stage"}, "live"]},
        "IsTest": {"Fn::Not": [{"Condition": "IsLive"}]},
        "Both": {"Fn::And": [{"Condition": "IsLive"}, {"Condition": "IsTest"}]},
        "Either": {"Fn::Or": [{"Condition": "IsLive"}, {"Condition": "IsTest"}]},
    }
    return Resolver(
        values={"Stage": "test", "Size": 5, "Names": ["a", "b"], "AWS::Region": "eu-west-1", "AWS::NoValue": NO_VALUE},
        mappings={"Sizes": {"test": {"memory": 128}}},
        conditions=conditions,
        ref=lambda name: f"physical-{name}",
        attribute=lambda name, attribute: ATTRIBUTES[name, attribute],
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ({"Ref": "Stage"}, "test"),
        ({"Ref": "Queue"}, "physical-Queue"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:aws:sqs:eu-west-1:1:queue"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:eu-west-1:1:queue"),
        ({"Fn::GetAtt": "Outer.Inner.Arn"}, "nested"),
        (
            {"Fn::Sub": "${Stage}-${Queue}-${Queue.Arn}-${!Literal}"},
            "test-physical-Queue-arn:aws:sqs:eu-west-1:1:queue-${Literal}",
        ),
        ({"Fn::Sub": ["${Stage}/${Own}", {"Own": {"Ref": "Size"}, "Stage": "mine"}]}, "mine/5"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}, 1]]}, "a-test-1"),
        ({"Fn::Join": [",", {"Ref": "Names"}]}, "a,b"),
        ({"Fn::Split": [",", "a,b"]}, ["a", "b"]),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::If": ["IsLive", "big", {"Ref": "Size"}]}, 5),
        ({"Fn::If": ["IsTest", "small", "big"]}, "small"),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "memory"]}, 128),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}, {"b": [1]}),
    ],
)
def test_intrinsic_functions_are_resolved(resolver, value, expected):
    assert resolver.resolve(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Fn::ImportValue": "x"}, "Fn::ImportValue"),
        ({"Fn::FindInMap": ["Sizes", "live", "memory"]}, "Sizes / live"),
        ({"Fn::If": ["NoSuch", 1, 2]}, "no condition NoSuch"),
    ],
)
def test_an_unresolvable_value_is_named(resolver, value, message):
    with pytest.raises(TemplateError, match=message):
        resolver.resolve(value)
