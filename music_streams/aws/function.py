"""What every function needs: its settings, its log, its metrics."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic

from aws_lambda_powertools import Logger, Metrics

from music_streams.aws import logs, settings
from music_streams.aws.settings import Model
from music_streams.aws.telemetry import Telemetry


@dataclass(frozen=True)
class Function(Generic[Model]):
    """The parts of a function that its invocations share; `env` has its environment variables as a dataclass."""

    env: Model
    logger: Logger
    telemetry: Telemetry
    metrics: Metrics

    @contextmanager
    def invocation(self, **about: str) -> Iterator[None]:
        """Send the metrics that the block records, even if it raises.

        The ids in `about` are added to the metrics and to every log line.
        """
        self.logger.append_keys(**about)
        with self.telemetry.sent_by(self.metrics, **about):
            yield


def start(model: type[Model]) -> Function[Model]:
    """Read the environment, and let Powertools write the package's log lines. Raises BadSetting (see settings.read)."""
    logger = Logger(use_rfc3339=True)
    logs.write_by(logger.registered_handler)
    return Function(settings.read(model, os.environ), logger, Telemetry(), Metrics())
