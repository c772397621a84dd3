"""record_failure: an execution ended FAILED, TIMED_OUT or ABORTED."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams import aws, settings
from music_streams.alerts import Alerts
from music_streams.failure import record_failure
from music_streams.ledger import Ledger


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    alerts_topic_arn: str


env = settings.read(Settings, os.environ)
logger = Logger()
s3 = aws.client("s3")
ledger = Ledger(env.files_table)
alerts = Alerts(aws.client("sns"), env.alerts_topic_arn)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """A "Step Functions Execution Status Change" event → ``{failed}``."""
    failed = record_failure(s3, ledger, alerts, event["detail"])
    logger.error("execution failed", failed=failed, execution=event["detail"]["name"])
    return {"failed": failed}
