"""Every handler imports with the environment that the template gives it, on the Python of its runtime."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.functions import ROOT, all_functions
from tests.template import of_type

# As Lambda imports it: the handler's folder and the package, nothing else of the project; no credentials, no network.
_IMPORT = """
import importlib, sys
sys.path[:0] = sys.argv[1:]
print(importlib.import_module("app").handler.__name__)
print(*sorted(m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "music_streams"), sep="\\n")
"""


def import_handler(function) -> list[str]:
    """Answers the handler's name and the files of the package that come with it."""
    numbers = {
        name: str(value) if isinstance(value, int | str) else "7" for name, value in function.environment.items()
    }
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", _IMPORT, str(function.handler_file.parent), str(ROOT)],
        env={"AWS_DEFAULT_REGION": "us-east-1", **numbers},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("function", all_functions(), ids=lambda function: function.folder)
def test_the_handler_imports_and_runs_on_its_runtime(function, translated):
    settings = of_type(translated, "AWS::Lambda::Function")[function.logical_id]
    assert settings["Handler"] == "app.handler"
    name, *modules = import_handler(function)
    assert name == "handler"
    version = settings["Runtime"].removeprefix("python")
    vermin = Path(sys.executable).with_name("vermin")
    files = [str(function.handler_file), *modules]
    done = subprocess.run(
        [vermin, f"--target={version}-", "--eval-annotations", "--no-tips", "--violations", *files],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("function", all_functions(), ids=lambda function: function.folder)
def test_the_artifact_has_every_module_that_the_handler_imports_and_the_tables_that_they_read(function, tmp_path):
    command = [
        "make",
        "-C",
        str(ROOT / "functions"),
        f"build-{function.logical_id}",
        "UV=true",
        f"ARTIFACTS_DIR={tmp_path}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    _, *modules = import_handler(function)
    tables = map(str, (ROOT / "music_streams").rglob("*.toml"))
    assert not [file for file in (*modules, *tables) if not (tmp_path / Path(file).relative_to(ROOT)).is_file()]


def test_no_handler_lies_idle():
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert folders == {function.folder for function in all_functions()}
