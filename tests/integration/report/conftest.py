"""The stack of the commands' tests, with files and metrics of two days."""

from tests.integration.cli.conftest import run, stack

__all__ = ["run", "stack"]
