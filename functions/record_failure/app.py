"""record_failure: records an execution that FAILED, TIMED_OUT or was ABORTED, and a failed run of maintain-lake."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, function, logs
from music_streams.aws.alert_sender import Alerts
from music_streams.aws.slices import time_check
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


record_failure = function.start(Settings)
env = record_failure.env
failure_path = FailurePath(
    s3=clients.client("s3"),
    ledger=Ledger(env.files_table, telemetry=record_failure.telemetry),
    alerts=Alerts(clients.client("sns"), env.alerts_topic_arn),
    job_runs=JobRuns(clients.client("glue"), (env.transform_job, env.load_job)),
    step_functions=clients.client("stepfunctions"),
)


@record_failure.logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A "Step Functions Execution Status Change" or a "Glue Job State Change" → ``{failed}``, the number of sources."""
    if event["detail-type"] == "Glue Job State Change":
        failure_path.report_job(event["detail"])
        record_failure.logger.error("job run failed", job=event["detail"]["jobName"], run=event["detail"]["jobRunId"])
        return {"failed": 0}
    with record_failure.invocation(**logs.of_execution(event["detail"]["name"])):
        failed = failure_path.record(event["detail"], time_check(context))
        record_failure.logger.error("execution failed", failed=failed)
    return {"failed": failed}
