"""measure: records gauges of the waiting files every five minutes, also when no other function runs."""

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
def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - Lambda passes it
    """A "Scheduled Event" → metrics only."""
    now = clock.now()
    measured = backlog.measure(ledger)
    with measure.invocation():
        measured.record(measure.telemetry, now)
    oldest = {"source_id": measured.oldest.source.source_id} if measured.oldest else {}
    fields = {"waiting": measured.waiting, "oldest_seconds": measured.age(now), **oldest}
    measure.logger.info("backlog measured", extra=fields)
