"""Packages for AWS are named by their content, are reproducible, and contain no unintended files."""

import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from deploy.package import PARTS, package

ROOT = Path(__file__).parents[2]
SOURCES = ("dags", "glue", "music_streams", "plugins", "requirements")
UNINTENDED = re.compile(
    r"(^|/)(tests?|__pycache__|\.env|\.git|\.aws|node_modules)(/|$)|\.(pyc|pem|key)$|credentials|secret"
)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the packaged sources without the chart library, which another checkout may not have yet."""
    copy = tmp_path / "checkout"
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The packages of this checkout, by part."""
    target = tmp_path_factory.mktemp("package")
    return {part: target / part / package(part, ROOT, target) for part in PARTS}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file by path, including those in zips and wheels: `plugins.zip/path`."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in [name for name in files if name.endswith((".zip", ".whl"))]:
        with zipfile.ZipFile(io.BytesIO(files[name])) as archive:
            files |= {f"{name}/{entry}": archive.read(entry) for entry in archive.namelist() if not entry.endswith("/")}
    return files


@pytest.mark.parametrize("part", PARTS)
def test_the_same_sources_give_the_same_bytes_on_another_machine_and_later(part, checkout, tmp_path):
    later = shutil.copytree(checkout, tmp_path / "elsewhere")
    for number, path in enumerate(path for path in later.rglob("*") if path.is_file()):
        path.touch()  # another date than the original
        path.chmod(0o600 if number % 2 else 0o644)  # another umask
    for folder in ("dags", "glue", "music_streams/load", "plugins/music_streams_airflow"):
        (later / folder / "__pycache__").mkdir()
        (later / folder / "__pycache__" / "some.cpython-311.pyc").write_bytes(b"compiled")
    versions = [package(part, tree, tmp_path / tree.name) for tree in (checkout, later)]
    assert versions[0] == versions[1]
    first, second = (contents(tmp_path / name / part / versions[0]) for name in (checkout.name, later.name))
    assert first == second


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("jobs", "glue/load_metrics.py"),
        ("jobs", "music_streams/load/job.py"),
        ("jobs", "music_streams/schemas/metrics_item.schema.json"),
        ("airflow", "dags/reconcile_streams.py"),
        ("airflow", "plugins/music_streams_airflow/dashboard/static/dashboard.css"),
        ("airflow", "music_streams/state/ledger.py"),
        ("airflow", "requirements/managed-airflow.txt"),
    ],
)
def test_changed_source_makes_a_new_version_and_keeps_the_old_one(part, source, checkout, tmp_path):
    target = tmp_path / "package"
    before = package(part, checkout, target)
    old = contents(target / part / before)
    with (checkout / source).open("a") as file:
        file.write("added\n")
    after = package(part, checkout, target)
    assert after != before
    assert (target / part / "version").read_text() == f"{after}\n"
    assert contents(target / part / before) == old


def test_new_dag_does_not_change_the_jobs_version(checkout, tmp_path):
    before = package("jobs", checkout, tmp_path / "package")
    (checkout / "dags" / "another.py").touch()
    assert package("jobs", checkout, tmp_path / "package") == before


def test_jobs_package_has_three_scripts_and_one_library_under_two_names(built):
    folder = built["jobs"]
    wheel = "music_streams-0.1.0-py3-none-any.whl"
    names = {"load_metrics.py", "maintain_lake.py", "transform_streams.py", wheel, "music_streams.zip", "manifest.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / wheel).read_bytes() == (folder / "music_streams.zip").read_bytes()
    for script in ("load_metrics.py", "transform_streams.py"):
        assert (folder / script).read_bytes() == (ROOT / "glue" / script).read_bytes()


def test_library_installs_on_python_3_9_without_dependencies(built, tmp_path):
    [wheel] = built["jobs"].glob("*.whl")
    options = ("--quiet", "--offline", "--no-index", "--python-version", "3.9", "--target", tmp_path)
    subprocess.run([find_uv_bin(), "pip", "install", *options, wheel], check=True)
    assert (tmp_path / "music_streams" / "load" / "job.py").is_file()
    assert [path.name for path in tmp_path.glob("*.dist-info")] == ["music_streams-0.1.0.dist-info"]


def test_airflow_package_has_dags_plugins_and_the_package_that_both_import(built):
    packaged = set(contents(built["airflow"]))
    for folder, place in (("dags", "dags"), ("plugins", "plugins.zip"), ("music_streams", "plugins.zip/music_streams")):
        sources = {path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        assert {f"{place}/{path.relative_to(ROOT / folder).as_posix()}" for path in sources} <= packaged
    names = {path.name for path in built["airflow"].iterdir()}
    assert names == {"dags", "plugins.zip", "requirements.txt", "manifest.json"}
    # music_streams is not a plug-in.
    assert contents(built["airflow"])["plugins.zip/.airflowignore"].endswith(b"\n/music_streams/\n")


def test_constraints_file_has_the_versions_of_the_requirements(built):
    first, locked = (built["airflow"] / "requirements.txt").read_text().split("\n", 1)
    assert first == "--constraint /usr/local/airflow/dags/constraints.txt"
    assert locked == (ROOT / "requirements" / "managed-airflow.txt").read_text()
    constraints = (built["airflow"] / "dags" / "constraints.txt").read_text().splitlines()
    assert constraints == re.findall(r"^[\w.-]+==[^ ]+", locked, re.MULTILINE)


@pytest.mark.parametrize("part", PARTS)
def test_package_contains_no_unintended_files(part, built):
    found = contents(built[part])
    assert len(found) > 5
    assert [name for name in found if UNINTENDED.search(name)] == []
