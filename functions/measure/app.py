"""measure: gauges of what waits, every five minutes, since nothing else speaks while nothing happens."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams import clock
from music_streams.aws import function
from music_streams.operate import backlog
from music_streams.state.ledger import Ledger


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str


measure = function.start(Settings)
ledger = Ledger(measure.env.files_table)


@measure.logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - as Lambda calls it
    """A "Scheduled Event" → nothing but metrics."""
    now = clock.now()
    found = backlog.measure(ledger)
    with measure.invocation():
        found.record(measure.telemetry, now)
    oldest = {"source_id": found.oldest.source.source_id} if found.oldest else {}
    about = {"waiting": found.waiting, "oldest_seconds": found.age(now), **oldest}
    measure.logger.info("backlog measured", extra=about)
