"""docs/consumers.md: every example runs, and every printed result and every table is right."""

import inspect
import json
import math
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventPattern
from samtranslator.yaml_helper import yaml_parse

from music_streams.reader import MetricsReader
from music_streams.run import settle
from tests.aws import TEMPLATE
from tests.integration.consumers import contract
from tests.integration.consumers.metrics_table import items, metrics_table
from tests.integration.consumers.test_reader import EVERY_QUERY, requests_of
from tests.integration.domain.run import Run
from tests.integration.domain.world import World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "consumers.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
KIB_OF_ITEM, KIB_OF_HALF_UNIT = 0.75, 4
PARTS = {"top_songs": "top_song", "top_genres": "top_genre"}


def blocks(language: str) -> list[str]:
    return [text for block_language, text in BLOCKS if block_language == language]


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the table whose first column has this heading."""
    lines = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


@pytest.fixture(scope="module")
def event() -> dict[str, Any]:
    [text] = blocks("json")
    return dict(json.loads(text))


@pytest.fixture(scope="module")
def consumer() -> dict[str, Any]:
    """Return the consumer's template."""
    [text] = blocks("yaml")
    return dict(yaml_parse(text))


def test_every_block_has_a_language_that_is_tested():
    assert {language for language, _ in BLOCKS} == {"python", "text", "json", "yaml"}
    assert PAGE.count("```") == 2 * len(BLOCKS)


def test_the_python_examples_print_what_the_page_shows(event):
    names = {"event": event}
    with metrics_table():
        for position, (language, code) in enumerate(BLOCKS):
            if language != "python":
                continue
            following, shown = (BLOCKS[position + 1 :] or [("", "")])[0]
            printed = StringIO()
            with redirect_stdout(printed):
                exec(compile(code, f"docs/consumers.md, block {position}", "exec"), names)  # noqa: S102 - code of this repository
            assert printed.getvalue() == (shown if following == "text" else ""), code
    assert len(blocks("text")) > 5


def test_every_method_of_the_reader_has_a_row_with_its_request():
    questions = {row[1].strip("`"): row[2:4] for row in rows("Question")}
    public = {name for name, _ in inspect.getmembers(MetricsReader, inspect.isfunction) if not name.startswith("_")}
    assert set(questions) == public
    with metrics_table() as table:
        reader = MetricsReader(table.name, table.dynamodb)
        for method, (request, condition) in questions.items():
            with requests_of(table.dynamodb) as seen:
                getattr(reader, method)(*EVERY_QUERY[method])
            [(operation, params)] = seen
            index = f" on `{params['IndexName']}`" if "IndexName" in params else ""
            assert request == operation + index, method
            assert _key_shape(condition) == _sent_key_shape(params), method


def _key_shape(condition: str) -> list[str]:
    """Return the constants of a key condition: names of keys, prefixes and functions."""
    return sorted(re.findall(r"pk|sk|\bday\b(?= =)|[A-Z]+#|SUMMARY|BETWEEN|begins_with", condition))


def _sent_key_shape(params: dict[str, Any]) -> list[str]:
    if "KeyConditionExpression" in params:
        condition = params["KeyConditionExpression"]
        values = {**params["ExpressionAttributeNames"], **params["ExpressionAttributeValues"]}
        return _key_shape(re.sub(r"[#:]\w+", lambda match: str(values[match[0]]), condition))
    key = params["Key"] if "Key" in params else next(iter(params["RequestItems"].values()))["Keys"][0]
    return _key_shape(", ".join(f"{name} = {value}" for name, value in key.items()))


def test_the_read_units_match_the_documented_item_size():
    assert f"an item as {KIB_OF_ITEM} KB" in PAGE
    costs = [row[4] for row in rows("Question")]
    counted = [re.fullmatch(r"(\d+) \w+: ([\d.]+)", cost) for cost in costs]
    for cost, match in zip(costs, counted, strict=True):
        if match:
            size = int(match[1]) * KIB_OF_ITEM
            assert float(match[2]) == math.ceil(size / KIB_OF_HALF_UNIT) / 2, cost
        else:
            assert cost in {"0.5", "0.5 a day"}
    assert sum(match is not None for match in counted) >= 5


def test_an_item_with_three_songs_has_the_documented_size():
    biggest = max(items(), key=_size)
    song = biggest["top_songs"][0]
    assert 0.5 < _size({**biggest, "top_songs": [song, song, song]}) / 1024 <= KIB_OF_ITEM


def _size(value: Any) -> int:
    """Return the bytes that DynamoDB counts for an item or a value in it."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return 3 + sum(1 + len(name) + _size(part) for name, part in value.items())
    if isinstance(value, list):
        return 3 + sum(1 + _size(part) for part in value)
    return len(str(value).strip("0").replace(".", "")) // 2 + 2


def test_the_tables_of_attributes_match_the_schemas():
    kinds = {kind: contract.attributes(contract.of_kind(kind)) for kind in contract.KINDS}
    expected = []
    for name in dict.fromkeys(name for attributes in kinds.values() for name in attributes if name not in {"pk", "sk"}):
        having = [kind for kind in kinds if name in kinds[kind]]
        schema = kinds[having[0]][name]
        where = "all" if len(having) == len(kinds) else ", ".join(having)
        expected.append([f"`{name}`", where, _type(schema), schema["description"]])
        if name in PARTS:
            entries = contract.attributes(contract.ITEM["$defs"][PARTS[name]])
            for entry, part in entries.items():
                expected.append([f"`{name}[].{entry}`", where, _type(part), part["description"]])
    assert rows("Attribute") == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)
    assert rows("Attribute of `detail`") == [
        [f"`{name}`", _type(schema), schema["description"]]
        for name, schema in contract.attributes(contract.EVENT).items()
    ]


def _type(schema: contract.Schema) -> str:
    if schema["type"] == "array":
        return f"array of {contract.resolved(schema['items'])['type']}"
    return str(schema["type"])


def test_the_documented_event_matches_the_schema_and_the_event_of_a_run(event):
    assert list(contract.faults(contract.EVENT, event["detail"])) == []
    with metrics_table():
        world = World()
        run = Run.of(world, world.upload()).claimed()
        run.finish_jobs()
        run.settle()
        [announced] = world.sent_events()
    for name in ("source", "detail-type"):
        assert announced[name] == event[name]
    assert announced["detail"].keys() == event["detail"].keys()


def test_the_documented_limit_of_days_per_event_is_right():
    [limit] = re.findall(r"more than ([\d,]+) days", PAGE)
    assert int(limit.replace(",", "")) == settle.DAYS_PER_EVENT


def test_the_consumers_rule_matches_this_event_and_no_other(event, consumer):
    rule = consumer["Resources"]["ChartsFunction"]["Properties"]["Events"]["MetricsPublished"]["Properties"]
    pattern = EventPattern.load(json.dumps(rule["Pattern"]))
    assert pattern.matches_event(event)
    assert not pattern.matches_event({**event, "detail-type": "Object Created"})
    assert not pattern.matches_event({**event, "source": "aws.s3"})


def test_the_consumers_parameters_are_outputs_of_the_pipeline(consumer):
    assert set(consumer["Parameters"]) <= set(TEMPLATE["Outputs"])
    function = consumer["Resources"]["ChartsFunction"]["Properties"]
    assert function["Policies"] == [{"Ref": "MetricsReaderPolicyArn"}]
    assert function["Environment"]["Variables"]["METRICS_TABLE"] == {"Ref": "MetricsTableName"}


def test_cfn_lint_accepts_the_consumers_template(tmp_path):
    [text] = blocks("yaml")
    path = tmp_path / "template.yaml"
    path.write_text(text)
    command = [Path(sys.executable).with_name("cfn-lint"), path]
    lint = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert lint.returncode == 0, lint.stdout
