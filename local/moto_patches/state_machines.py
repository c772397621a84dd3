"""Step Functions."""

import functools
import threading
import uuid
from datetime import datetime

import boto3
from moto.core.config import default_user_config
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
    state_task_service_aws_sdk,
    state_task_service_callback,
    state_task_service_glue,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from local.loose_types import Json, Moto
from local.moto_patches.hooks import Hooks

EXECUTIONS = threading.RLock()
_POLL_OF_JOB_RUN = 0.2  # seconds


def interpret_state_machines() -> None:
    """Moto executes state machines only if its configuration says so."""
    default_user_config["stepfunctions"]["execute_state_machine"] = True


class _SharedClients:
    """Replaces the module boto3."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], Moto] = {}
        self._lock = threading.Lock()

    def client(
        self,
        service_name: str,
        region_name: str,
        aws_access_key_id: str,  # noqa: ARG002  moto's own key; the server's environment has the accepted one
        aws_secret_access_key: str,  # noqa: ARG002
        **settings: Moto,
    ) -> Moto:
        with self._lock:
            key = (service_name, region_name)
            if key not in self._clients:
                session: Moto = boto3.Session()
                self._clients[key] = session.client(service_name, region_name=region_name, **settings)
            return self._clients[key]


def share_clients() -> None:
    """Moto's client for each task is slow, not thread-safe, and signs with a key that the gate does not accept."""
    boto_client.boto3 = _SharedClients()


def start_executions_once() -> None:
    """Moto's StartExecution looks for the name and adds it in two steps, and fails without a name; an execution can be
    listed before it has a status; $$.Execution.StartTime is a date that cannot be serialized.
    """
    start = StepFunctionsParserBackend.start_execution
    describe_start = Execution.get_start_execution_details

    @functools.wraps(start)
    def start_execution(
        self: Moto,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: str | None = None,
    ) -> Moto:
        execution_name = name or str(uuid.uuid4())
        self._validate_name(execution_name)
        with EXECUTIONS:
            return start(self, state_machine_arn, execution_name, execution_input, trace_header)

    @functools.wraps(describe_start)
    def get_start_execution_details(self: Moto) -> Moto:
        details = describe_start(self)
        details.start_time = iso_milliseconds(self.start_date)
        return details

    StepFunctionsParserBackend.start_execution = start_execution
    Execution.status = property(lambda execution: str((execution.exec_status or ExecutionStatus.RUNNING).value))
    Execution.get_start_execution_details = get_start_execution_details


def report_executions(hooks: Hooks) -> None:
    """Moto does not report an execution's status, keeps a stopped one running until its state ends, drops its error,
    and omits when a timed-out one ended.
    """
    start = Execution.start
    terminate = BaseExecutionWorkerCommunication.terminated
    describe = StepFunctionResponse.describe_execution
    list_all = StepFunctionResponse.list_executions
    ending = threading.Lock()

    @functools.wraps(start)
    def start_and_report(self: Moto) -> None:
        start(self)
        hooks.publish_execution_status(self)

    @functools.wraps(terminate)
    def terminated(self: Moto) -> None:
        execution = self.execution
        with ending:
            if execution.stop_date is not None:  # already stopped; its last state ends only now
                return
            state = execution.exec_worker.env.program_state()
            if isinstance(state, ProgramStopped):
                execution.error, execution.cause = state.error, state.cause
            terminate(self)
        hooks.publish_execution_status(execution)

    def stop_execution(self: Moto) -> Moto:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        worker = execution.exec_worker
        while execution.stop_date is None and worker.env is None:
            threading.Event().wait(0.01)  # its thread is about to create the environment
        if execution.stop_date is None:
            now = datetime.now(tz=execution.start_date.tzinfo)
            execution.stop(stop_date=now, error=self._get_param("error"), cause=self._get_param("cause"))
            worker._execution_communication.terminated()
        return ActionResult({"stopDate": execution.stop_date})

    def add_stop_date(self: Moto, description: dict[str, Json]) -> None:
        execution = self.stepfunction_backend.describe_execution(description["executionArn"])
        if execution.stop_date is not None:
            description["stopDate"] = execution.stop_date

    @functools.wraps(describe)
    def describe_execution(self: Moto) -> Moto:
        response = describe(self)
        add_stop_date(self, response.result)
        return response

    @functools.wraps(list_all)
    def list_executions(self: Moto) -> Moto:
        response = list_all(self)
        for entry in response.result["executions"]:
            add_stop_date(self, entry)
        return response

    Execution.start = start_and_report
    BaseExecutionWorkerCommunication.terminated = terminated
    StepFunctionResponse.stop_execution = stop_execution
    StepFunctionResponse.describe_execution = describe_execution
    StepFunctionResponse.list_executions = list_executions


def wait_for_job_runs() -> None:
    """Moto's glue:startJobRun.sync fails because it lacks a callback, treats the end of the first try as the timeout of
    the second, passes on dates that cannot be serialized, treats a stopped run as a success, and does not stop the run
    when its state ends.
    """
    service = state_task_service_glue.StateTaskServiceGlue
    callback = state_task_service_callback.StateTaskServiceCallback
    build_resolver = service._sync_to_start_job_run
    wait = callback._eval_sync

    state_task_service_glue._SUPPORTED_INTEGRATION_PATTERNS.add(ResourceCondition.WaitForTaskToken)
    state_task_service_glue._JOB_RUN_STATE_ABNORMAL_TERMINAL_VALUE.add("STOPPED")
    state_task_service_callback._DELAY_SECONDS_SYNC_CONDITION_CHECK = _POLL_OF_JOB_RUN

    class Resolver:
        """Called until it has a result; can stop the run that it waits for."""

        def __init__(self, resolve: Moto, client: Moto, started: dict[str, str]) -> None:
            self._resolve = resolve
            self._client = client
            self._started = started

        def __call__(self) -> Json:
            run = self._resolve()
            return as_states_json(run) if run else None

        def cancel(self) -> None:
            self._client.batch_stop_job_run(JobName=self._started["JobName"], JobRunIds=[self._started["JobRunId"]])

    @functools.wraps(build_resolver)
    def sync_to_start_job_run(self: Moto, env: Moto, part: Moto, parameters: Moto, credentials: Moto) -> Resolver:
        started = env.stack[-1]
        resolve = build_resolver(self, env, part, parameters, credentials)
        return Resolver(resolve, self._get_glue_client(part, credentials), started)

    @functools.wraps(wait)
    def wait_or_cancel(self: Moto, env: Moto, sync_resolver: Moto, *args: Moto, **kwargs: Moto) -> Json:
        if not isinstance(sync_resolver, Resolver):
            return wait(self, env, sync_resolver, *args, **kwargs)
        # A job run has no callback, and the callback endpoint ends with the state's first try.
        outcome = wait(self, env, sync_resolver, *args, **{**kwargs, "callback_endpoint": None})
        if outcome is None:  # the state timed out or its execution was stopped
            sync_resolver.cancel()
        return outcome

    service._sync_to_start_job_run = sync_to_start_job_run
    callback._eval_sync = wait_or_cancel


def name_errors_as_aws_does() -> None:
    """Moto names EventBridge and CloudWatch Logs differently from boto3, and the errors of most services wrongly."""
    state_task_service.StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES.update(
        cloudwatchlogs="logs", eventbridge="events"
    )
    state_task_service_aws_sdk._SERVICE_ERROR_NAMES.update(
        cloudwatch="CloudWatch", eventbridge="EventBridge", glue="Glue", s3="S3", sns="Sns", sqs="Sqs"
    )


def iso_milliseconds(instant: datetime) -> str:
    """Return the instant as 2026-11-21T21:03:25.123Z."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def as_states_json(value: Json) -> Json:
    """Return the value with dates as Step Functions has them: milliseconds since 1970."""
    if isinstance(value, dict):
        return {name: as_states_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_states_json(item) for item in value]
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    return value
