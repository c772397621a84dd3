"""validate: validates new files, carries out requests, and starts executions of the state machine."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, function
from music_streams.aws.alert_sender import Alerts
from music_streams.ingest.intake import Intake
from music_streams.ingest.queue import ArrivalsQueue
from music_streams.ingest.time_limits import InvocationOutOfTime
from music_streams.run.executions import Executions
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.state.ledger import Ledger


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    arrivals_queue_url: str
    landing_bucket: str
    lake_bucket: str
    alerts_topic_arn: str
    state_machine_arn: str
    transform_job: str
    load_job: str
    timeout_seconds: float
    max_file_bytes: int


validate = function.start(Settings)
env = validate.env
s3 = clients.client("s3")
ledger = Ledger(env.files_table, telemetry=validate.telemetry)
queue = ArrivalsQueue(clients.client("sqs"), env.arrivals_queue_url)
intake = Intake(
    s3=s3,
    executions=Executions(clients.client("stepfunctions"), env.state_machine_arn),
    job_runs=JobRuns(clients.client("glue"), (env.transform_job, env.load_job)),
    ledger=ledger,
    quarantine=Quarantine(s3, ledger, Alerts(clients.client("sns"), env.alerts_topic_arn)),
    landing_bucket=env.landing_bucket,
    lake_bucket=env.lake_bucket,
    timeout_seconds=env.timeout_seconds,
    lease_seconds=env.timeout_seconds,
    max_file_bytes=env.max_file_bytes,
)


@validate.logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process each message, then start the executions. Only messages that failed return to the queue."""
    not_begun: list[str] = []
    invocation = intake.start_invocation(lambda: context.get_remaining_time_in_millis() / 1000)

    def process(record: SQSRecord) -> None:
        with validate.logger.append_context_keys(message_id=record.message_id):
            try:
                invocation.process(record.body)
            except InvocationOutOfTime:
                not_begun.append(record.receipt_handle)
                raise

    processor = BatchProcessor(
        event_type=EventType.SQS,
        raise_on_entire_batch_failure=False,
        logger=validate.logger,  # type: ignore[arg-type]  # its documentation passes a Powertools Logger here
    )
    with validate.invocation():
        with processor(records=event["Records"], handler=process):
            processor.process()
        invocation.launch()
    queue.make_visible(not_begun)
    return dict(processor.response())
