"""The functions, built once for all tests."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.functions import ROOT

SAM = ROOT / ".build" / "tools" / "sam" / "bin" / "sam"


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The output folder of `sam build`: template.yaml, and a folder for each function."""
    assert SAM.exists(), "run `make gate` once to install the SAM CLI"
    folder = tmp_path_factory.mktemp("sam") / "build"
    # make passes its own flags on to child processes
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS"}}
    environment["SAM_CLI_TELEMETRY"] = "0"
    command = [SAM, "build", "--build-dir", folder, "--cache-dir", folder.with_name("cache")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
