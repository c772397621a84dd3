"""docs/runbooks.md and docs/airflow.md name all states, DAGs, alarms, alerts and commands, and no others."""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from samtranslator.yaml_helper import yaml_parse

from music_streams.reconcile.findings import DayState, State
from music_streams.validation.file_verdicts import Verdict
from tests.runbooks import DOC, RUNBOOKS, commands
from tests.template import Template, of_type

ROOT = Path(__file__).parents[3]
AIRFLOW = ROOT / ".build" / "tools" / "airflow" / "bin" / "python"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
WORDS = {"DAY": "2024-06-25", "USER": "4711"}  # values that the parser of a command checks
EXAMPLES = sorted({line for block in BLOCKS for line in commands(block)})
OWN_COMMANDS = [line.removeprefix("music-streams ") for line in EXAMPLES if line.startswith("music-streams ")]
AWS_COMMANDS = [line for line in EXAMPLES if line.startswith("aws ")]
AIRFLOW_COMMANDS = [line for line in EXAMPLES if line.startswith("airflow ")]
HEADS = {"state", "parameter", "task"}
DAGS = {path.stem: ast.parse(path.read_text()) for path in (ROOT / "dags").glob("*.py")}


def section(title: str) -> str:
    """Return the text under a heading, up to the next heading."""
    [text] = re.findall(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", DOC, re.MULTILINE | re.DOTALL)
    return str(text)


def first_cells(text: str) -> list[str]:
    """Return the first cell of each table row, without the headings."""
    return [cell.strip("` ") for cell in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) if cell.strip() not in HEADS]


def test_every_kind_of_command_is_shown():
    assert len(OWN_COMMANDS) > 20
    assert AWS_COMMANDS
    assert AIRFLOW_COMMANDS
    assert {line.split()[0] for line in EXAMPLES} <= {"music-streams", "aws", "airflow", "curl", "TOKEN=$(curl"}


@pytest.mark.parametrize("example", OWN_COMMANDS)
def test_a_command_fails_only_because_there_is_no_pipeline(run, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [WORDS.get(word, word) for word in shlex.split(example)]
    for name in words:
        if name.endswith(".csv"):
            Path(name).touch()
    ended = run(*words)
    assert ended.exit_code == 3, ended.stderr
    assert "no running pipeline was found" in ended.stderr


@pytest.mark.parametrize("example", AWS_COMMANDS)
def test_an_aws_command_names_an_operation_and_its_parameters(example):
    _, service, command, *rest = shlex.split(example)
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert command in operations
    shape = model.operation_model(operations[command]).input_shape
    known = {xform_name(name, "-") for name in shape.members} if shape else set()
    assert {word.removeprefix("--") for word in rest if word.startswith("--")} <= known


@pytest.mark.skipif(not AIRFLOW.exists(), reason="Airflow is not installed: make .build/tools/airflow/ready")
def test_airflow_accepts_its_commands_and_its_request(tmp_path):
    [body] = [text for text in re.findall(r"-d '(\{.*?\})'", DOC, re.DOTALL) if "dag_id" in text]
    script = (
        "import json, shlex, sys\n"
        "from airflow.api_fastapi.core_api.datamodels.backfills import BackfillPostBody\n"
        "from airflow.cli.cli_parser import get_parser\n"
        "body, *lines = json.load(sys.stdin)\n"
        "BackfillPostBody.model_validate_json(body)\n"
        "[get_parser().parse_args(shlex.split(line)[1:]) for line in lines]\n"
    )
    environment = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    given = json.dumps([body, *AIRFLOW_COMMANDS])
    command = [str(AIRFLOW), "-c", script]
    ended = subprocess.run(command, input=given, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_airflow_commands_name_existing_dags_and_parameters():
    for line in AIRFLOW_COMMANDS:
        _, _, verb, *rest = shlex.split(line)
        dag_id = rest[0] if verb == "trigger" else rest[rest.index("--dag-id") + 1]
        conf = json.loads(rest[rest.index("--conf") + 1]) if "--conf" in rest else {}
        assert set(conf) <= set(params(DAGS[dag_id]))


@pytest.mark.parametrize(("of", "states"), [("States of a file", State), ("States of a day", DayState)])
def test_every_state_and_no_other_has_its_row(of, states):
    assert first_cells(section(of)) == [state.value for state in states]


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_task_and_parameter_of_a_dag_and_no_other_has_its_row(dag_id):
    documented = first_cells(section(dag_id))
    in_tables = [*params(DAGS[dag_id]), *tasks(DAGS[dag_id])]
    if dag_id == "backfill_streams":  # its only parameter needs no table
        in_tables.remove("day")
        assert "The parameter `day`" in section(dag_id)
    assert sorted(documented) == sorted(in_tables)


def params(dag: ast.Module) -> dict[str, object]:
    """Return the parameters of a DAG with their defaults."""
    found = [node.value for node in ast.walk(dag) if isinstance(node, ast.keyword) and node.arg == "params"]
    return {
        key.value: ast.literal_eval(value.args[0])
        for each in found
        if isinstance(each, ast.Dict)
        for key, value in zip(each.keys, each.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(value, ast.Call)
    }


def tasks(dag: ast.Module) -> Iterator[str]:
    """Yield the tasks of a DAG: decorated functions, and sensors by their task_id."""
    for node in ast.walk(dag):
        if isinstance(node, ast.FunctionDef) and any(
            ast.unparse(each).split("(")[0] == "task" for each in node.decorator_list
        ):
            yield node.name
        if isinstance(node, ast.keyword) and node.arg == "task_id":
            yield ast.literal_eval(node.value)


def test_defaults_of_parameters_are_those_of_the_dag():
    shown = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section("reconcile_streams"), re.MULTILINE))
    words = {"None": "none", "True": "true", "False": "false", "": "''"}
    for name, value in params(DAGS["reconcile_streams"]).items():
        assert shown[name] == words.get(str(value), str(value)), name


def test_every_alarm_names_the_runbook_that_quotes_it_and_no_other_alarm_is_quoted():
    template = yaml_parse((ROOT / "template.yaml").read_text())
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    assert set(re.findall(r"\b\w+Alarm\b", DOC)) == set(alarms)
    for name, alarm in alarms.items():
        description = alarm["AlarmDescription"]
        text, title = (description if isinstance(description, str) else description["Fn::Sub"]).split(" Runbook: ")
        symptom = " ".join(RUNBOOKS[title.removesuffix(".")].symptom.split())
        assert re.search(f'{name}: "{words(template, text)}"', symptom), name


def words(template: Template, description: str) -> str:
    """Return the pattern of an alarm's description: the page quotes a parameter by its default or its name."""

    def value(match: re.Match[str]) -> str:
        return f"({match[1]}|{re.escape(str(template['Parameters'][match[1]]['Default']))})"

    return re.sub(r"\\\$\\\{(\w+)\\\}", value, re.escape(description))


def test_every_subject_of_an_alert_is_quoted_and_no_other_is():
    quoted = set(re.findall(r"`(music-streams: [^`]+)`", DOC))
    patterns = set(subjects())
    assert len(patterns) == 7
    for subject in quoted:
        assert any(re.fullmatch(pattern, subject) for pattern in patterns), subject
    for pattern in patterns:
        assert any(re.fullmatch(pattern, subject) for subject in quoted), pattern


def subjects() -> Iterator[str]:
    """Yield the subjects of alerts in the code, as patterns."""
    states = "|".join({*State, *DayState})
    known = {
        "verdict": "|".join(Verdict),
        "detail['status']": "FAILED|TIMED_OUT|ABORTED",
        "report.findings.sentence": rf"\d+ (days? )?({states}), \d+ OK",
        "dag_id": "reconcile_streams",
        "detail['jobName']": "maintain-lake",
        "detail['state']": "FAILED|TIMEOUT",
        "plural(len(deleted), 'file')": r"1 file|\d+ files",
    }
    for path in [*ROOT.glob("music_streams/**/*.py"), *ROOT.glob("plugins/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr) and ast.unparse(node)[2:].startswith("music-streams: "):
                yield "".join(
                    f"({known.get(ast.unparse(part.value), '.+')})"
                    if isinstance(part, ast.FormattedValue)
                    else re.escape(ast.literal_eval(part))
                    for part in node.values
                )


def test_every_verdict_is_named():
    assert [verdict for verdict in Verdict if verdict not in RUNBOOKS["A file was quarantined"].symptom] == []


def test_there_are_thirteen_runbooks_of_five_parts():
    assert len(RUNBOOKS) == 13
    for runbook in RUNBOOKS.values():
        assert runbook.symptom
        assert runbook.meaning
        for part in (runbook.check, runbook.fix, runbook.verify):
            assert commands(part), runbook
