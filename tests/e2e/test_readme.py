"""The commands of the README work when they are run in their order."""

import os
import re
import subprocess

import pytest

from tests.e2e.conftest import ROOT

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
COMMANDS = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines()]


def test_the_readme_shows_commands():
    assert "make demo" in COMMANDS
    assert sum(command.startswith("./music-streams ") for command in COMMANDS) > 5


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_the_make_targets_of_the_readme_exist(command):
    target = command.split("   ")[0]
    made = subprocess.run(f"{target} --dry-run", shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


@pytest.mark.slow
def test_the_other_commands_of_the_readme_run_in_their_order(cloud, tmp_path):
    (tmp_path / "music-streams").symlink_to(ROOT / "music-streams")
    script = [command for command in COMMANDS if not command.startswith("make ")]
    command, environment = ["bash", "-euxc", "\n".join(script)], {**os.environ, "LOCAL_CLOUD_STATE": str(cloud)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2024-06-25: " in ran.stdout
    assert (tmp_path / "music-streams-2024-06-25.html").is_file()
