"""`sam local invoke` with an event file of each function, in containers that can reach the local cloud."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.functions import ROOT
from tests.sam.engine import NAMESPACES, NoEngine, engine_environment, remove_cgroups
from tests.sam.image import make_root, python_for
from tests.sam.session import INVOKED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def answers(built: Path) -> dict[str, Any]:
    """The response of each function by event file, and the statuses of the sources afterwards."""
    try:
        environment = engine_environment()
    except NoEngine as reason:
        pytest.skip(f"no `sam local invoke`: {reason}")
    folder = built.parent
    python = python_for("python3.12")
    print(f"image from {python}")
    make_root(folder / "root", python)
    cgroup = f"music-streams-{os.getpid()}"
    try:
        command = [*NAMESPACES, sys.executable, "-m", "tests.sam.session", str(folder), cgroup]
        environment = {**os.environ, **environment, "SAM_CLI_TELEMETRY": "0"}
        output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False, **output)
    finally:
        remove_cgroups(cgroup)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    return dict(json.loads((folder / "answers.json").read_text()))


@pytest.mark.parametrize("case", INVOKED, ids=lambda case: case.path)
def test_the_function_answers_in_its_container(case, answers):
    result = answers[case.path]
    # The command succeeds even if the function raises, so check its output.
    assert json.loads(result["answer"]) == case.answer, result["log"]
    assert result["statuses"] == case.after
