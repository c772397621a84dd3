"""archive: moves published files to ``archive/``."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, function, logs
from music_streams.aws.slices import time_check
from music_streams.run.archive import archive_sources
from music_streams.state.ledger import Ledger


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str


archive = function.start(Settings)
s3 = clients.client("s3")
ledger = Ledger(archive.env.files_table, telemetry=archive.telemetry)


@archive.logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn}`` → ``{left}``."""
    with archive.invocation(**logs.of_execution(event["execution_arn"])):
        left = archive_sources(s3, ledger, event["manifest"], event["execution_arn"], time_check(context))
        archive.logger.info("sources archived", left=left)
    return {"left": left}
