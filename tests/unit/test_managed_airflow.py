"""What the package asks managed Airflow to install fits each version of it that docs/deploy.md names, hash by hash.

``requirements/managed-airflow/VERSION.txt`` holds what AWS publishes of the images: what managed Airflow does not let
anybody change, and the versions of the packages that matter here.
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
    """Version by name of a requirements file, options and hashes left out."""
    return {canonicalize_name(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s\\]+)", text)}


@pytest.fixture(scope="module")
def requirements(tmp_path_factory) -> str:
    """The requirements.txt of the package, without its path of a machine of AWS."""
    target = tmp_path_factory.mktemp("package")
    text = (target / "airflow" / package("airflow", ROOT, target) / "requirements.txt").read_text()
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--constraint"))


def resolved(folder: Path, requirements: str, image: Path) -> Pins:
    """What an installation comes to under the pins of an image; skips the test where no registry answers.

    Raises:
        AssertionError: the requirements and the image do not fit together.
    """
    asked = folder / "requirements.txt"
    asked.write_text(requirements)
    options = ("--python-version", PYTHON, "--python-platform", "x86_64-manylinux_2_28", "--no-header", "--no-annotate")
    command = (find_uv_bin(), "pip", "compile", "--quiet", *options, "--constraint", image, asked)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and NO_REGISTRY.search(done.stderr):
        pytest.skip(f"no package registry answers: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return pins(done.stdout)


def test_each_version_that_the_page_names_has_its_facts_here():
    page = (ROOT / "docs" / "deploy.md").read_text()
    row = re.search(r"^\| Airflow version \| (.+) \|$", page, re.MULTILINE)
    assert row
    assert re.findall(r"\d+\.\d+\.\d+", row[1]) == list(IMAGES)
    for version, path in IMAGES.items():
        assert pins(path.read_text())["apache-airflow"] == version


def test_every_requirement_is_pinned_and_hashed(requirements):
    found = re.split(r"(?m)^(?=\S)", requirements)[1:]
    assert len(found) > 5
    for each in found:
        assert re.match(r"[\w.-]+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$", each), each


@pytest.mark.parametrize("version", IMAGES)
def test_no_package_of_the_image_is_replaced(requirements, version):
    assert set(pins(requirements)) & set(pins(IMAGES[version].read_text())) == set()


def test_what_is_installed_there_is_what_is_tested_here(requirements):
    ours, tested = pins(requirements), pins((REQUIREMENTS / "airflow.txt").read_text())
    for name in ("duckdb", "pyarrow", "pyiceberg"):
        assert ours[name] == tested[name], f"{name}: make lock"


@pytest.mark.slow  # the registry is asked for a quarter of a minute
@pytest.mark.parametrize("version", IMAGES)
def test_the_requirements_resolve_beside_the_image(requirements, version, tmp_path):
    image = pins(IMAGES[version].read_text())
    found = resolved(tmp_path, OF_THE_IMAGE + requirements, IMAGES[version])
    assert pins(requirements).items() <= found.items()
    assert {name: found[name] for name in image if name in found}.items() <= image.items()
    assert found["apache-airflow"] == version


@pytest.mark.slow  # the registry is asked for a quarter of a minute
@pytest.mark.parametrize("version", IMAGES)
def test_nothing_is_missing_that_the_image_lacks(requirements, version, tmp_path):
    """Under hashes pip installs what is listed and nothing else."""
    asked = (REQUIREMENTS / "managed-airflow.in").read_text()
    assert all(Requirement(line) for line in asked.splitlines() if not line.startswith("#"))
    needed = resolved(tmp_path, asked + requirements, IMAGES[version])
    assert set(needed) <= set(pins(requirements)) | set(pins(IMAGES[version].read_text()))


@pytest.mark.slow
def test_a_requirement_that_clashes_with_the_image_is_found(requirements, tmp_path):
    image = IMAGES["3.0.6"]
    clash = f"flask!={pins(image.read_text())['flask']}\n"
    with pytest.raises(AssertionError, match=r"(?i)unsatisfiable|no solution"):
        resolved(tmp_path, OF_THE_IMAGE + requirements + clash, image)
