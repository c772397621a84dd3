"""claim: the sources of a manifest now belong to this execution."""

import os
from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, logs, settings
from music_streams.aws.slices import has_time
from music_streams.aws.telemetry import Telemetry
from music_streams.run.claim import claim_sources
from music_streams.state.ledger import Ledger
from music_streams.state.sizing import Bounds


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    transform_least_workers: int
    transform_most_workers: int


env = settings.read(Settings, os.environ)
logger = Logger(use_rfc3339=True)
logs.write_by(logger.registered_handler)
metrics = Metrics()
telemetry = Telemetry()
s3 = clients.client("s3")
ledger = Ledger(env.files_table, telemetry=telemetry)
bounds = Bounds(env.transform_least_workers, env.transform_most_workers)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn}`` → ``{left, has_work, forgets, workers}``."""
    about = logs.of_execution(event["execution_arn"])
    logger.append_keys(**about)
    with telemetry.sent_by(metrics, **about):
        claim = asdict(claim_sources(s3, ledger, event["manifest"], event["execution_arn"], has_time(context), bounds))
    logger.info("sources claimed", **claim)
    return claim
