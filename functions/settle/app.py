"""settle: records the outcome of each source of a run in the ledger."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, function, logs
from music_streams.aws.alert_sender import Alerts
from music_streams.aws.slices import time_check
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Ledger


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    alerts_topic_arn: str
    max_rejected_ratio: float


settle = function.start(Settings)
s3 = clients.client("s3")
ledger = Ledger(settle.env.files_table, telemetry=settle.telemetry)
quarantine = Quarantine(s3, ledger, Alerts(clients.client("sns"), settle.env.alerts_topic_arn))
ratio = settle.env.max_rejected_ratio
settlement = Settlement(s3, clients.client("events"), ledger, quarantine, ratio, settle.telemetry)


@settle.logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn, run_id, transform_run, load_run}`` → ``{left}``."""
    # An execution that began before an update may have an older definition, which does not pass its job runs.
    job_runs = [event[name] for name in ("transform_run", "load_run") if name in event]
    arn = event["execution_arn"]
    with settle.invocation(**logs.of_execution(arn)):
        left = settlement.settle(event["manifest"], arn, event["run_id"], time_check(context), job_runs)
        settle.logger.info("sources settled", left=left)
    return {"left": left}
