"""record_failure: an execution ended FAILED, TIMED_OUT or ABORTED, or a run of maintain-lake FAILED or TIMEOUT."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, logs, settings
from music_streams.aws.alerts import Alerts
from music_streams.aws.slices import has_time
from music_streams.aws.telemetry import Telemetry
from music_streams.run.failure import FailurePath
from music_streams.run.job_runs import JobRuns
from music_streams.state.ledger import Ledger


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    alerts_topic_arn: str
    transform_job: str
    load_job: str


env = settings.read(Settings, os.environ)
logger = Logger(use_rfc3339=True)
logs.write_by(logger.registered_handler)
metrics = Metrics()
telemetry = Telemetry()
failure_path = FailurePath(
    s3=clients.client("s3"),
    ledger=Ledger(env.files_table, telemetry=telemetry),
    alerts=Alerts(clients.client("sns"), env.alerts_topic_arn),
    job_runs=JobRuns(clients.client("glue"), (env.transform_job, env.load_job)),
    step_functions=clients.client("stepfunctions"),
)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A "Step Functions Execution Status Change" event, or a "Glue Job State Change" → ``{failed}``, sources."""
    if event["detail-type"] == "Glue Job State Change":
        failure_path.tell_of_job(event["detail"])
        logger.error("job run failed", job=event["detail"]["jobName"], run=event["detail"]["jobRunId"])
        return {"failed": 0}
    about = logs.of_execution(event["detail"]["name"])
    logger.append_keys(**about)
    with telemetry.sent_by(metrics, **about):
        failed = failure_path.record(event["detail"], has_time(context))
    logger.error("execution failed", failed=failed)
    return {"failed": failed}
