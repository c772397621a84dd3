"""What each part of the package takes along: the load job runs on Python 3.9, the functions start in little time.

The load job's own zip meets Glue Python Shell's Python 3.9 with boto3 and pyarrow and nothing else.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
MODULES_OF_FUNCTIONS = ("intake", "claim", "settle", "archive", "erasure", "failure", "backlog", "settings", "aws")

# Run apart: what this test's own process has imported must not count. Bytes are not written beside the sources.
_LIST_MODULES = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps({
    name: getattr(module, "__file__", None) or ""
    for name, module in sys.modules.items() if name not in before
}))
"""


def imported_by(*modules: str) -> dict[str, str]:
    """The modules that importing some brings along, and their files."""
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", _LIST_MODULES, str(ROOT), *modules],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def load_modules() -> dict[str, str]:
    """What glue/load_metrics.py imports of the package, and all that comes with it."""
    script = (ROOT / "glue" / "load_metrics.py").read_text()
    assert "from music_streams.load.job import run" in script
    return imported_by("music_streams.load.job", "music_streams.aws.clients")


def own_files(modules: dict[str, str]) -> list[str]:
    return [path for name, path in sorted(modules.items()) if name.split(".")[0] == "music_streams"]


def test_the_load_and_all_that_it_imports_of_the_package_run_on_python_3_9(load_modules):
    files = [*own_files(load_modules), str(ROOT / "glue" / "load_metrics.py")]
    assert len(files) > 5
    # Annotations are not evaluated: every such module has `from __future__ import annotations`.
    done = subprocess.run(
        [Path(sys.executable).parent / "vermin", "--target=3.9-", "--no-tips", "--violations", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_annotations_of_the_load_are_never_evaluated(load_modules):
    for path in own_files(load_modules):
        source = Path(path).read_text()
        has_annotations = "->" in source or "@dataclass" in source
        assert "from __future__ import annotations" in source or not has_annotations, path


def test_the_load_needs_nothing_but_boto3_and_pyarrow(load_modules):
    needed_by_the_two = {name.split(".")[0] for name in imported_by("boto3", "pyarrow.parquet", "botocore.config")}
    packages = {name.split(".")[0] for name in load_modules} - needed_by_the_two - set(sys.stdlib_module_names)
    assert packages == {"music_streams"}


def test_the_load_imports_nothing_of_the_transform(load_modules):
    assert not [name for name in load_modules if name.startswith("music_streams.transform")]


@pytest.mark.parametrize("module", MODULES_OF_FUNCTIONS)
def test_what_the_functions_use_starts_without_spark_and_arrow(module):
    heavy = {"pyspark", "pyarrow", "pandas", "numpy", "py4j"}
    assert not heavy & {name.split(".")[0] for name in imported_by(f"music_streams.{module}")}


def test_the_functions_import_no_other_module_of_the_package():
    """The list above is theirs: what app.py imports, or what lies below one of these."""
    below = set(imported_by(*(f"music_streams.{name}" for name in MODULES_OF_FUNCTIONS)))
    for name in FUNCTIONS:
        for line in (ROOT / "functions" / name / "app.py").read_text().splitlines():
            match line.split():
                case ["from", "music_streams", "import", *names]:
                    assert {f"music_streams.{each.strip(',')}" for each in names} <= below, name
                case ["from", module, "import", *_] if module.startswith("music_streams."):
                    assert module in below, name
