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
assert not {"pyspark", "pyarrow", "pandas", "numpy", "py4j"} & set(sys.modules), "a function must start fast"
print(*sorted(m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "music_streams"), sep="\\n")
"""


def import_handler(function, *path: Path) -> list[str]:
    """Return the handler's name, and the files of the package that it imports."""
    variables = {
        name: str(value) if isinstance(value, int | str) else "7" for name, value in function.environment.items()
    }
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", _IMPORT, *map(str, path)],
        env={"AWS_DEFAULT_REGION": "us-east-1", **variables},
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
    name, *modules = import_handler(function, function.handler_file.parent, ROOT)
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
def test_artifact_contains_only_the_handlers_imports_and_their_tables(function, tmp_path):
    target = f"build-{function.logical_id}"
    command = ["make", "-C", str(ROOT / "functions"), target, "UV=true", f"ARTIFACTS_DIR={tmp_path}"]
    subprocess.run(command, check=True, capture_output=True)
    _, *modules = import_handler(function, tmp_path)
    tables = [Path(file).with_suffix(".toml") for file in modules]
    expected = {str(path.relative_to(ROOT)) for table in tables for path in ROOT.glob(str(table.relative_to(tmp_path)))}
    expected |= {str(Path(file).relative_to(tmp_path)) for file in modules} | {"app.py"}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == expected


def test_every_handler_is_deployed():
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert folders == {function.folder for function in all_functions()}
