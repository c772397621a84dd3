"""What every function starts with: its settings, its log, its metrics."""

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
    """A function as it is between its invocations.

    Attributes:
        env: its environment variables, as the fields of a dataclass.
        telemetry: what the domain adds metrics to; sent at the end of each :meth:`invocation`.
    """

    env: Model
    logger: Logger
    telemetry: Telemetry
    metrics: Metrics

    @contextmanager
    def invocation(self, **about: str) -> Iterator[None]:
        """Send the metrics of what is done within, also where that ends with an error.

        The ids that it is about are put on the metrics and on every log line.
        """
        self.logger.append_keys(**about)
        with self.telemetry.sent_by(self.metrics, **about):
            yield


def start(model: type[Model]) -> Function[Model]:
    """Read the environment and let Powertools write the lines of the package.

    Raises:
        BadSetting: a variable that the dataclass names is missing, or its text is no number where one is needed.
    """
    logger = Logger(use_rfc3339=True)
    logs.write_by(logger.registered_handler)
    return Function(settings.read(model, os.environ), logger, Telemetry(), Metrics())
