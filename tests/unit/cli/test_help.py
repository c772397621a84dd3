"""The help text of every command."""

import pytest

from tests.unit.cli.golden import check

READING = ("put", "status", "show", "report", "cost", "logs", "sample", "metrics")
OPERATING = ("reconcile", "redrive", "replay", "retract", "rebuild", "forget", "quarantine", "dlq", "maintain")
COMMANDS = ("", "up", "demo", *READING, *OPERATING, "down")
METRICS = tuple(f"metrics {name}" for name in ("genre", "country", "range", "day", "genres", "songs"))
OF_GROUPS = (*METRICS, "quarantine list", "quarantine release", "dlq list", "dlq redrive")


@pytest.mark.parametrize("command", [*COMMANDS, *OF_GROUPS])
def test_help_equals_its_golden_file(run, golden, command):
    shown = run(*command.split(), "--help")
    assert shown.exit_code == 0
    check(golden / f"help {command}.txt".replace(" .", "."), shown.stdout)


@pytest.mark.parametrize("command", [*COMMANDS[1:], *OF_GROUPS])
def test_help_has_examples_and_fits_a_narrow_terminal(run, command):
    text = run(*command.split(), "-h").stdout
    assert "Examples:\n  music-streams " in text.replace("    ", "  ")
    assert max(map(len, text.splitlines())) <= 90


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_the_summary_of_every_command_is_not_truncated_in_the_list(run, command):
    [line] = [line for line in run("--help").stdout.splitlines() if line.startswith(f"  {command} ")]
    assert line.endswith(".")
    assert not line.endswith("...")


@pytest.mark.parametrize(
    "args", [["no-such-command"], ["status", "--no-such-option"], ["put"], ["retract"], ["metrics", "range"]]
)
def test_wrong_usage_is_exit_code_2_and_names_the_help(run, args):
    ended = run(*args)
    assert ended.exit_code == 2
    assert "--help" in ended.stderr or "-h" in ended.stderr
