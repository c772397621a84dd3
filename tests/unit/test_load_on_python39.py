"""The load job needs only what Glue Python Shell has: Python 3.9, boto3 and pyarrow."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from functions.modules import files_of

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "glue" / "load_metrics.py"
FILES = [ROOT / file for file in files_of(SCRIPT, ROOT)]
MODULES = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in FILES}

# Run in a new process, because modules that this test's own process has imported must not count.
_LIST_MODULES = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported_by(*modules: str) -> set[str]:
    """Return all modules that are imported by importing some."""
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", _LIST_MODULES, str(ROOT), *modules],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def load_modules() -> set[str]:
    """All modules that glue/load_metrics.py imports, directly or indirectly."""
    return imported_by(*MODULES)


def test_the_load_and_all_that_it_imports_of_the_package_run_on_python_3_9():
    assert ROOT / "music_streams" / "load" / "fence.py" in FILES
    # Annotations are not evaluated: every such module has `from __future__ import annotations`.
    done = subprocess.run(
        [Path(sys.executable).parent / "vermin", "--target=3.9-", "--no-tips", "--violations", SCRIPT, *FILES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_annotations_of_the_load_are_never_evaluated(file):
    source = file.read_text()
    has_annotations = "->" in source or "@dataclass" in source
    assert "from __future__ import annotations" in source or not has_annotations


def test_the_load_needs_nothing_but_boto3_and_pyarrow(load_modules):
    dependencies = {name.split(".")[0] for name in imported_by("boto3", "pyarrow.parquet", "botocore.config")}
    packages = {name.split(".")[0] for name in load_modules} - dependencies - set(sys.stdlib_module_names)
    assert packages == {"music_streams"}


def test_the_load_imports_no_other_module_of_the_package(load_modules):
    assert {name for name in load_modules if name.split(".")[0] == "music_streams"} == MODULES
