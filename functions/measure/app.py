"""measure: gauges of what waits, every five minutes, since nothing else speaks while nothing happens."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams import clock
from music_streams.aws import logs, settings
from music_streams.aws.telemetry import Telemetry
from music_streams.operate import backlog
from music_streams.state.ledger import Ledger


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str


env = settings.read(Settings, os.environ)
logger = Logger(use_rfc3339=True)
logs.write_by(logger.registered_handler)
metrics = Metrics()
telemetry = Telemetry()
ledger = Ledger(env.files_table)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - as Lambda calls it
    """A "Scheduled Event" → nothing but metrics."""
    now = clock.now()
    found = backlog.look(ledger)
    with telemetry.sent_by(metrics):
        found.tell(telemetry, now)
    oldest = {"source_id": found.oldest.source.source_id} if found.oldest else {}
    logger.info("backlog measured", extra={"waiting": found.waiting, "oldest_seconds": found.age(now), **oldest})
