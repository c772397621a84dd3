"""The program `music-streams` in the root of the checkout."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).parents[3] / "music-streams"


def launch(program: Path, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *args], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not LAUNCHER.with_name(".venv").is_dir(), reason="there is no .venv: make setup")
def test_it_runs_from_any_folder_and_through_a_link(run, tmp_path):
    link = tmp_path / "bin" / "music-streams"
    link.parent.mkdir()
    link.symlink_to(LAUNCHER)
    ended = launch(link, "--help", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == run("--help").stdout


def test_without_a_setup_it_says_what_to_do(tmp_path):
    copied = Path(shutil.copy(LAUNCHER, tmp_path))
    ended = launch(copied, "status", cwd=Path(os.sep))
    assert ended.returncode == 3
    assert f"next: make -C {tmp_path} setup" in ended.stderr
