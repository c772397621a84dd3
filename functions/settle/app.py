"""settle: the ledger takes what became of each source of a run."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams import aws, settings
from music_streams.alerts import Alerts
from music_streams.ledger import Ledger
from music_streams.quarantine import Quarantine
from music_streams.settle import Settlement


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    alerts_topic_arn: str


env = settings.read(Settings, os.environ)
logger = Logger()
s3 = aws.client("s3")
ledger = Ledger(env.files_table)
settlement = Settlement(s3, ledger, Quarantine(s3, ledger, Alerts(aws.client("sns"), env.alerts_topic_arn)))


@logger.inject_lambda_context
def handler(event: dict[str, str], _context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn}`` → the detail of the `MetricsPublished` event."""
    published = settlement.settle(event["manifest"], event["execution_arn"])
    logger.info("sources settled", **published)
    return published
