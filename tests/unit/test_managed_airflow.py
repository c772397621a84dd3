"""The requirements for managed Airflow install on each of its versions that docs/deploy.md names, with hashes.

``requirements/managed-airflow/VERSION.txt`` contains facts that AWS publishes about the images: packages that managed
Airflow does not allow anybody to change, and the versions of the packages that matter here.
"""

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from deploy.package import package

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
IMAGES = {path.stem: path for path in sorted((REQUIREMENTS / "managed-airflow").glob("*.txt"))}
OF_THE_IMAGE = "apache-airflow\napache-airflow-providers-amazon[aiobotocore]\napache-airflow-providers-fab\n"
PYTHON = "3.12"  # of every image here
NO_REGISTRY = re.compile(
    r"error sending request|Failed to (fetch|download)|dns error|[Cc]onnect|Network", re.IGNORECASE
)
Pins = dict[str, str]


def pins(text: str) -> Pins:
    """Return the versions in a requirements file by name, without options and hashes."""
    return {canonicalize_name(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s\\]+)", text)}


@pytest.fixture(scope="module")
def requirements(tmp_path_factory) -> str:
    """The requirements.txt of the package, without its path on managed Airflow."""
    target = tmp_path_factory.mktemp("package")
    text = (target / "airflow" / package("airflow", ROOT, target) / "requirements.txt").read_text()
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--constraint"))


def resolved(folder: Path, requirements: str, image: Path) -> Pins:
    """Return the versions that pip would install under the pins of an image; skip the test if no registry responds.

    Raises:
        AssertionError: the requirements conflict with the image.
    """
    path = folder / "requirements.txt"
    path.write_text(requirements)
    options = ("--python-version", PYTHON, "--python-platform", "x86_64-manylinux_2_28", "--no-header", "--no-annotate")
    command = (find_uv_bin(), "pip", "compile", "--quiet", *options, "--constraint", image, path)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and NO_REGISTRY.search(done.stderr):
        pytest.skip(f"no package registry responds: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return pins(done.stdout)


def test_each_documented_version_has_a_constraints_file():
    page = (ROOT / "docs" / "deploy.md").read_text()
    row = re.search(r"^\| Airflow version \| (.+) \|$", page, re.MULTILINE)
    assert row
    assert re.findall(r"\d+\.\d+\.\d+", row[1]) == list(IMAGES)
    for version, path in IMAGES.items():
        assert pins(path.read_text())["apache-airflow"] == version


def test_every_requirement_is_pinned_and_hashed(requirements):
    entries = re.split(r"(?m)^(?=\S)", requirements)[1:]
    assert len(entries) > 5
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$", entry), entry


@pytest.mark.parametrize("version", IMAGES)
def test_no_package_of_the_image_is_replaced(requirements, version):
    assert set(pins(requirements)) & set(pins(IMAGES[version].read_text())) == set()


def test_installed_versions_are_the_tested_versions(requirements):
    ours, tested = pins(requirements), pins((REQUIREMENTS / "airflow.txt").read_text())
    for name in ("duckdb", "pyarrow", "pyiceberg"):
        assert ours[name] == tested[name], f"{name}: make lock"


@pytest.mark.slow  # the registry needs a quarter of a minute
@pytest.mark.parametrize("version", IMAGES)
def test_requirements_resolve_with_the_packages_of_the_image(requirements, version, tmp_path):
    image = pins(IMAGES[version].read_text())
    versions = resolved(tmp_path, OF_THE_IMAGE + requirements, IMAGES[version])
    assert pins(requirements).items() <= versions.items()
    assert {name: versions[name] for name in image if name in versions}.items() <= image.items()
    assert versions["apache-airflow"] == version


@pytest.mark.slow  # the registry needs a quarter of a minute
@pytest.mark.parametrize("version", IMAGES)
def test_requirements_include_every_package_that_the_image_lacks(requirements, version, tmp_path):
    """With hashes, pip installs only the listed packages."""
    imported = (REQUIREMENTS / "managed-airflow.in").read_text()
    assert all(Requirement(line) for line in imported.splitlines() if not line.startswith("#"))
    needed = resolved(tmp_path, imported + requirements, IMAGES[version])
    assert set(needed) <= set(pins(requirements)) | set(pins(IMAGES[version].read_text()))


@pytest.mark.slow
def test_requirement_that_conflicts_with_the_image_is_found(requirements, tmp_path):
    image = IMAGES["3.0.6"]
    conflict = f"flask!={pins(image.read_text())['flask']}\n"
    with pytest.raises(AssertionError, match=r"(?i)unsatisfiable|no solution"):
        resolved(tmp_path, OF_THE_IMAGE + requirements + conflict, image)
