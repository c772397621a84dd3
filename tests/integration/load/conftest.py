"""The same AWS in the test's own process as the other steps of the pipeline have it."""

from tests.integration.domain.conftest import world

__all__ = ["world"]
