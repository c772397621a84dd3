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
from music_streams.slices import has_time


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    alerts_topic_arn: str


env = settings.read(Settings, os.environ)
logger = Logger()
s3 = aws.client("s3")
ledger = Ledger(env.files_table)
quarantine = Quarantine(s3, ledger, Alerts(aws.client("sns"), env.alerts_topic_arn))
settlement = Settlement(s3, aws.client("events"), ledger, quarantine)


@logger.inject_lambda_context
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn, run_id}`` → ``{left}``."""
    left = settlement.settle(event["manifest"], event["execution_arn"], event["run_id"], has_time(context))
    logger.info("sources settled", left=left, manifest=event["manifest"])
    return {"left": left}
