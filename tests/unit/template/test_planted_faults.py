"""The gate finds each fault that is planted into a copy, with the check that is meant for it.

Every rule has a fault above it, so none is ineffective; a copy without a fault passes all checks.
"""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from local.errors import TemplateError
from tests.unit.template.copies import (
    Findings,
    asl_validator,
    cfn_lint,
    checkov,
    make_copy,
    sam_validate,
    translate_copy,
)
from tests.unit.template.faults import MACHINE, Change, arn, attribute, drop, grant, put
from tests.unit.template.rules import MODULES, RULES

pytestmark = pytest.mark.slow

LOAD = f"{MACHINE}/States/Load metrics"

TOOLS: list[tuple[Callable[[list[Path]], Findings], str, list[tuple[Change, str]]]] = [
    (sam_validate, "template", [(put("ClaimFunction/Timeouts", 3), "Timeouts")]),
    (
        cfn_lint,
        "template",
        [
            (attribute("LakeDatabase", UpdateReplacePolicy="RetainExceptOnCreate"), "E3036 'RetainExceptOnCreate'"),
            (put("ClaimFunction/Environment/Variables/X", {"Fn::GetAtt": ["FilesTable", "IndexArn"]}), "IndexArn"),
        ],
    ),
    (
        cfn_lint,
        "translated",
        [
            (put("ClaimFunction/Runtime", "python3.99"), "python3.99"),
            (grant("ClaimRole", "dynamodb:UpdateItems", arn("FilesTable")), "updateitems"),
        ],
    ),
    (
        checkov,
        "translated",
        [
            (put("AlertsKey/EnableKeyRotation", False), "AlertsKey"),
            (put("LakeBucket/AccessControl", "PublicRead"), "LakeBucket"),
        ],
    ),
    (
        asl_validator,
        "machine",
        [
            (put(f"{LOAD}/Next", "Settle source"), "Settle source"),
            (put(f"{MACHINE}/StartAt", "Claim"), "Claim"),
            (put(f"{LOAD}/End", True), "Load metrics"),
            (put(f"{MACHINE}/States/Lost", {"Type": "Succeed"}), "Lost"),
            (put(f"{LOAD}/ResultPth", None), "Load metrics"),
            (put(f"{LOAD}/Type", "Tsak"), "Load metrics"),
            (put(f"{LOAD}/Retry", [{"MaxAttempts": 2}]), "Load metrics"),
            (put(f"{LOAD}/InputPath", "manifest"), "Load metrics"),
            (put(f"{MACHINE}/States/Is there work/Choices/0", {}), "/Choices/0"),
        ],
    ),
]
"""Each tool with the file that it reads, and the faults that it finds there."""


@pytest.mark.parametrize(
    ("rule", "plant", "at"),
    [
        pytest.param(rule, plant, at, id=f"{rule.__name__}: {at}")
        for rule, faults in RULES.items()
        for plant, at in faults
    ],
)
def test_each_rule_finds_its_planted_fault(rule, plant, at, tmp_path):
    findings = list(rule(translate_copy(make_copy(tmp_path, plant))))
    assert any(at in finding for finding in findings), findings


def test_every_rule_has_a_planted_fault():
    functions = {
        function
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isgeneratorfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert RULES.keys() == functions


def test_translation_rejects_an_event_without_its_queue(tmp_path):
    plant = drop("ValidateFunction/Events/Arrivals/Properties/Queue")
    with pytest.raises(TemplateError, match="Queue"):
        translate_copy(make_copy(tmp_path, plant))


@pytest.mark.parametrize(("check", "part", "faults"), TOOLS)
def test_each_tool_finds_its_faults_and_nothing_in_a_sound_copy(check, part, faults, tmp_path):
    # Starting a tool takes longer than its work, so one run checks all copies.
    copies = [make_copy(tmp_path / str(number), plant) for number, (plant, _) in enumerate(faults)]
    copies.append(make_copy(tmp_path / "sound", lambda _resources: None))
    if part == "translated":
        for copy in copies:
            translate_copy(copy)
    *broken, sound = [getattr(copy, part) for copy in copies]
    findings = check([*broken, sound])
    for path, (_, at) in zip(broken, faults, strict=True):
        assert any(at in finding for finding in findings.get(path, [])), (at, findings)
    assert sound not in findings
