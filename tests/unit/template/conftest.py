"""The template, translated by SAM."""

from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from checks.translate import translated as translate

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    return yaml_parse((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="session")
def translated() -> dict[str, Any]:
    return translate(ROOT / "template.yaml")


@pytest.fixture(scope="session")
def resources(translated) -> dict[str, Any]:
    return translated["Resources"]


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the properties of all resources of a type, by logical id. Fails if there are none."""
    found = {name: r.get("Properties", {}) for name, r in resources.items() if r["Type"] == kind}
    assert found, f"the template has no {kind}"
    return found
