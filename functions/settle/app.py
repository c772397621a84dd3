"""settle: the ledger takes what became of each source of a run."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, logs, settings
from music_streams.aws.alerts import Alerts
from music_streams.aws.slices import has_time
from music_streams.aws.telemetry import Telemetry
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Ledger


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    alerts_topic_arn: str


env = settings.read(Settings, os.environ)
logger = Logger(use_rfc3339=True)
logs.write_by(logger.registered_handler)
metrics = Metrics()
telemetry = Telemetry()
s3 = clients.client("s3")
ledger = Ledger(env.files_table, telemetry=telemetry)
quarantine = Quarantine(s3, ledger, Alerts(clients.client("sns"), env.alerts_topic_arn))
settlement = Settlement(s3, clients.client("events"), ledger, quarantine, telemetry)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn, run_id, transform_run, load_run}`` → ``{left}``."""
    about = logs.of_execution(event["execution_arn"])
    logger.append_keys(**about)
    # An execution that began before an update may be of a definition that did not tell of its job runs yet.
    job_runs = [event[name] for name in ("transform_run", "load_run") if name in event]
    with telemetry.sent_by(metrics, **about):
        left = settlement.settle(
            event["manifest"], event["execution_arn"], event["run_id"], has_time(context), job_runs
        )
    logger.info("sources settled", left=left)
    return {"left": left}
