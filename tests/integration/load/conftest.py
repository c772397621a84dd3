"""The in-process AWS of the tests of the other steps."""

from tests.integration.domain.conftest import world

__all__ = ["world"]
