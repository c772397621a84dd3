"""The template, whose roles and policies are compared with the calls of the code."""

from pathlib import Path

import pytest

from checks.translate import translated
from tests.template import Template


@pytest.fixture(scope="session")
def template() -> Template:
    return translated(Path(__file__).parents[2] / "template.yaml")
