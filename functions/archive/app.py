"""archive: published inputs leave ``incoming/``."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, logs, settings
from music_streams.aws.slices import has_time
from music_streams.aws.telemetry import Telemetry
from music_streams.run.archive import archive_sources
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
s3 = clients.client("s3")
ledger = Ledger(env.files_table, telemetry=telemetry)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn}`` → ``{left}``."""
    about = logs.of_execution(event["execution_arn"])
    logger.append_keys(**about)
    with telemetry.sent_by(metrics, **about):
        left = archive_sources(s3, ledger, event["manifest"], event["execution_arn"], has_time(context))
    logger.info("sources archived", left=left)
    return {"left": left}
