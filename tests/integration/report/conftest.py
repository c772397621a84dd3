"""The stack of the command tests, with files and metrics of two days."""

from tests.integration.cli.conftest import run, stack

__all__ = ["run", "stack"]
