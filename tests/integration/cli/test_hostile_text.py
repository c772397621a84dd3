"""No command passes control codes in text from outside to the terminal."""

import json
import re

import pytest

from tests.integration.cli.conftest import put_entry, source

CODES = "\x1b]0;PWNED\x1b\\\x1b[2J\x1b[31m\u202e"
OWN_CODES = re.compile(r"\x1b\[(?:[0-9;]*m|2K|1A|\?25[lh])|\r")  # styles, and the table that is redrawn


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def screen(request, monkeypatch):
    if request.param:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
    return request.param


@pytest.fixture
def hostile(stack):
    """Two files with one name, whose keys contain control codes."""
    made = [source("dup.csv", f"incoming/{CODES}{number}/dup.csv") for number in range(2)]
    for item in made:
        put_entry(stack, item, status="QUARANTINED", reason="empty_file", updated_at="2026-11-21T21:03:28.000Z")
    yield made
    for item in made:
        stack.session.resource("dynamodb").Table("files").delete_item(Key={"source_id": item.source_id})


def check(ended) -> str:
    """Return the output; check that it contains no control codes."""
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    plain = OWN_CODES.sub("", ended.output)
    assert all(line.isprintable() for line in plain.split("\n")), repr(plain)
    return plain


def test_files_with_one_name_are_listed_without_control_codes(run, hostile, screen):
    ended = run("quarantine", "release", "dup.csv")
    assert ended.exit_code == 2
    assert check(ended).count("PWNED") == 2


@pytest.mark.parametrize(
    "command",
    [
        *("CODES", "show CODES", "show dup.csv", "status", "status --since CODES", "status --status CODES"),
        *("status --json", "replay CODES", "replay dup.csv", "retract CODES --yes", "redrive CODES"),
        *("redrive dup.csv", "rebuild CODES", "forget CODES --yes", "quarantine list", "quarantine list --json"),
        *("quarantine release CODES", "quarantine CODES", "dlq CODES", "metrics genre CODES", "metrics country CODES"),
        *("metrics day CODES", "metrics songs --genre CODES", "report CODES", "report 2024-06-25 CODES"),
        *("report 2024-06-25 --output /nonexistent/CODES", "put CODES", "put FILE --reference songs --key CODES"),
        *("sample /dev/null/CODES", "cost --prices CODES", "logs --file CODES", "up CODES", "down CODES"),
        *("demo --timeout CODES", "maintain CODES", "reconcile --prefix CODES --dry-run CODES"),
    ],
)
def test_no_command_shows_control_codes(run, hostile, screen, command):
    check(run(*(word.replace("CODES", CODES).replace("FILE", __file__) for word in command.split())))


def test_a_timeout_names_the_files_without_control_codes(run, stack, hostile, screen, tmp_path):
    file = tmp_path / "dup.csv"
    file.write_text("x")
    named = tmp_path / f"{CODES.replace('/', '')}.csv"
    named.write_text("x")
    ended = run("put", file, named, "--timeout", "0")
    assert ended.exit_code == 4
    assert check(ended).count("PWNED") >= 1


def test_json_off_a_terminal_contains_the_unchanged_keys(run, hostile):
    listed = json.loads(check(run("quarantine", "list", "--json")))
    assert {item.key for item in hostile} <= {file["key"] for file in listed}
