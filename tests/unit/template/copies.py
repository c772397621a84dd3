"""Changed copies of the template and the state machine, and the findings of the gate's tools."""

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
    """Copy the project's template and state machine, with a change."""
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
    """Return the template and the state machine; cached, because reading takes longer than checking."""
    return yaml_parse((ROOT / "template.yaml").read_text()), yaml.safe_load((ROOT / DEFINITION).read_text())


def translate_copy(copy: Copy) -> dict[str, Any]:
    """Return the copy as CloudFormation would receive it, and write it. Raises TemplateError if SAM rejects it."""
    template = translated(copy.template)
    copy.translated.write_text(json.dumps(template))
    return template


def cfn_lint(templates: Iterable[Path]) -> Findings:
    """Return the findings by template."""
    findings = json.loads(_run(Path(sys.executable).with_name("cfn-lint"), "--format", "json", *templates))
    return _by_path((Path(item["Filename"]), f"{item['Rule']['Id']} {item['Message']}") for item in findings)


def checkov(templates: Iterable[Path]) -> Findings:
    """Return the findings by template."""
    config = ("--config-file", ROOT / "checks" / "checkov.yaml", "--output", "json")
    files = [argument for template in templates for argument in ("--file", template)]
    findings = json.loads(_run(TOOLS / "checkov/bin/checkov", *config, *files))["results"]["failed_checks"]
    return _by_path((Path(item["file_abs_path"]), f"{item['check_id']} {item['resource']}") for item in findings)


def asl_validator(machines: Iterable[Path]) -> Findings:
    """Return the findings by state machine."""
    text = _run(TOOLS / "asl-validator/node_modules/.bin/asl-validator", *[f"--yaml-path={path}" for path in machines])
    invalid = re.findall(r'definition "([^"]+)" is invalid:\n((?:(?!.*State machine definition).+\n?)*)', text)
    return _by_path((Path(path), findings) for path, findings in invalid)


def sam_validate(templates: Iterable[Path]) -> Findings:
    """Return the findings by template."""
    command = (TOOLS / "sam/bin/sam", "validate", "--lint", "--region", "us-east-1", "--template")
    outputs = {template: _run(*command, template) for template in templates}
    return {template: [output] for template, output in outputs.items() if "is a valid SAM Template" not in output}


def _by_path(findings: Iterable[tuple[Path, str]]) -> Findings:
    grouped: Findings = {}
    for path, finding in findings:
        grouped.setdefault(path, []).append(finding)
    return grouped


def _run(tool: Path, *arguments: str | Path) -> str:
    """Return the output of a tool, whatever its exit code: findings do not fail the tool itself."""
    assert tool.exists(), f"{tool} is missing: run `make gate` once"
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(
        [tool, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )
    return done.stdout
