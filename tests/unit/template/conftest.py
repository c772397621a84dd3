"""The template as SAM translates it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[3]


class NoManagedPolicies:
    """SAM asks for AWS's managed policies by name; the template names them by ARN."""

    def load(self) -> dict[str, str]:
        return {}


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    return yaml_parse((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="session")
def translated(source) -> dict[str, Any]:
    """The template after SAM's transform, with local paths as `sam package` would have uploaded them."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the transform wants to know one
    packaged = json.loads(json.dumps(source))
    packaged["Globals"]["Function"]["CodeUri"] = "s3://artifacts/function.zip"
    packaged["Resources"]["ProcessStreams"]["Properties"]["DefinitionUri"] = "s3://artifacts/definition.json"
    defaults = {name: p.get("Default", "artifacts") for name, p in packaged["Parameters"].items()}
    return transform(packaged, defaults, NoManagedPolicies())


@pytest.fixture(scope="session")
def resources(translated) -> dict[str, Any]:
    return translated["Resources"]


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """The properties of all resources of a type, by logical id; there must be some."""
    found = {name: r.get("Properties", {}) for name, r in resources.items() if r["Type"] == kind}
    assert found, f"the template has no {kind}"
    return found
