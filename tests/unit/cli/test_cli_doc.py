"""The examples of docs/cli.md, and of the operators' help texts, are accepted unchanged."""

import re
import shlex
from pathlib import Path

import pytest

DOC = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
GOLDEN = Path(__file__).parent / "golden"
OPERATING = ("redrive", "replay", "retract", "rebuild", "forget", "quarantine", "dlq", "maintain")
HELP = "\n".join(path.read_text() for name in OPERATING for path in sorted(GOLDEN.glob(f"help-{name}*.txt")))
BLOCKS = "\n".join(re.findall(r"^```\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL))
LINES = [*BLOCKS.splitlines(), *HELP.split("Usage:", 1)[1].splitlines()]
EXAMPLES = sorted(
    {
        part.strip().split("   ")[0].removeprefix("music-streams ")
        for line in LINES
        if line.strip().startswith("music-streams ")
        for part in line.split("&&")
    }
)


def test_every_command_has_a_section_with_examples():
    for name in OPERATING:
        assert f"\n## {name}\n" in DOC
        assert any(example.startswith(name) for example in EXAMPLES), name


@pytest.mark.parametrize("example", [line for line in EXAMPLES if not line.startswith("put ")])
def test_an_example_fails_only_because_there_is_no_pipeline(run, example):
    ended = run(*shlex.split(example))
    assert ended.exit_code == 3, ended.stderr
    assert "no running pipeline was found" in ended.stderr
