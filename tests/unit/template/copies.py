"""Copies of template and state machine with something changed in them, and what the tools of the gate say of each."""

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from samtranslator.yaml_helper import yaml_parse

from checks.translate import translated
from tests.unit.template.conftest import ROOT
from tests.unit.template.faults import MACHINE, Change

TOOLS = ROOT / ".build" / "tools"
DEFINITION = "statemachine/process_streams.asl.yaml"
Findings = dict[Path, list[str]]


class Copy(NamedTuple):
    """The files that the gate reads, in a folder."""

    template: Path
    machine: Path
    translated: Path


def make_copy(folder: Path, change: Change) -> Copy:
    """The project's template and state machine with a change."""
    copy = Copy(folder / "template.yaml", folder / DEFINITION, folder / "translated.json")
    template, machine = deepcopy(_originals())
    template["Resources"][MACHINE] = {"Properties": machine}
    change(template["Resources"])
    del template["Resources"][MACHINE]
    copy.machine.parent.mkdir(parents=True)
    copy.machine.write_text(yaml.safe_dump(machine, sort_keys=False))
    copy.template.write_text(json.dumps(template))  # JSON is YAML
    for name in ("samconfig.toml", "functions", "glue"):
        (folder / name).symlink_to(ROOT / name)
    return copy


@functools.cache
def _originals() -> tuple[dict[str, Any], dict[str, Any]]:
    """The template and the state machine as they are; to read them takes longer than to check them."""
    return yaml_parse((ROOT / "template.yaml").read_text()), yaml.safe_load((ROOT / DEFINITION).read_text())


def translate_copy(copy: Copy) -> dict[str, Any]:
    """The copy as CloudFormation would get it; also written down. Raises TemplateError where SAM refuses it."""
    template = translated(copy.template)
    copy.translated.write_text(json.dumps(template))
    return template


def cfn_lint(templates: Iterable[Path]) -> Findings:
    """Findings by template."""
    findings = json.loads(_run(Path(sys.executable).with_name("cfn-lint"), "--format", "json", *templates))
    return _by_path((Path(each["Filename"]), f"{each['Rule']['Id']} {each['Message']}") for each in findings)


def checkov(templates: Iterable[Path]) -> Findings:
    """Findings by template."""
    config = ("--config-file", ROOT / "checks" / "checkov.yaml", "--output", "json")
    files = [argument for template in templates for argument in ("--file", template)]
    findings = json.loads(_run(TOOLS / "checkov/bin/checkov", *config, *files))["results"]["failed_checks"]
    return _by_path((Path(each["file_abs_path"]), f"{each['check_id']} {each['resource']}") for each in findings)


def asl_validator(machines: Iterable[Path]) -> Findings:
    """Findings by state machine."""
    text = _run(TOOLS / "asl-validator/node_modules/.bin/asl-validator", *[f"--yaml-path={path}" for path in machines])
    refused = re.findall(r'definition "([^"]+)" is invalid:\n((?:(?!.*State machine definition).+\n?)*)', text)
    return _by_path((Path(path), findings) for path, findings in refused)


def sam_validate(templates: Iterable[Path]) -> Findings:
    """Findings by template."""
    command = (TOOLS / "sam/bin/sam", "validate", "--lint", "--region", "us-east-1", "--template")
    answers = {template: _run(*command, template) for template in templates}
    return {template: [answer] for template, answer in answers.items() if "is a valid SAM Template" not in answer}


def _by_path(findings: Iterable[tuple[Path, str]]) -> Findings:
    found: Findings = {}
    for path, finding in findings:
        found.setdefault(path, []).append(finding)
    return found


def _run(tool: Path, *arguments: str | Path) -> str:
    """What a tool says; findings are no failure of the tool."""
    assert tool.exists(), f"{tool} is missing: run `make gate` once"
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(
        [tool, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )
    return done.stdout
