"""Invokes the functions' handlers in this process."""

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.functions import Function, all_functions

FUNCTIONS = {function.folder: function for function in all_functions()}
"""The functions, by folder."""


class Context:
    """The context of a Lambda invocation."""

    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self, timeout: int) -> None:
        self._milliseconds = timeout * 1000

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


def invoke(function: Function, environment: dict[str, str], event: dict[str, Any]) -> Any:
    """Perform a cold start and one invocation."""
    with pytest.MonkeyPatch.context() as patch, _restored_logging(environment["POWERTOOLS_SERVICE_NAME"]):
        for name, value in environment.items():
            patch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("app", function.handler_file)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.handler(event, Context(function.timeout))


@contextmanager
def _restored_logging(service: str) -> Iterator[None]:
    """Undo the logging setup of a cold start, because other tests read the package's log lines too."""
    package = logging.getLogger("music_streams")
    before = list(package.handlers), package.level, package.propagate
    try:
        yield
    finally:
        package.handlers, package.level, package.propagate = before
        logging.Logger.manager.loggerDict.pop(service, None)  # Otherwise the next cold start would not set it up.
