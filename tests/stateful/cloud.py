"""AWS in memory: it starts the pipeline's programs, retries them, ends them, and loses their events.

Every program is a Process that makes one AWS call at a time; the test chooses which makes the next, and which fails.
"""

# ruff: noqa: N803 - the arguments are named as boto3 names them

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from botocore.exceptions import ClientError

from music_streams import clock
from music_streams.errors import MusicStreamsError
from tests.aws import key_of
from tests.integration.load.interleaving import Fault, Process
from tests.integration.load.memory_dynamodb import MemoryDynamoDB
from tests.stateful.memory_s3 import MemoryS3

LANDING, LAKE, FILES, METRICS = "landing", "lake", "files", "metrics"
TRANSFORM_JOB, LOAD_JOB = "transform-streams", "load-metrics"
STATE_MACHINE_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:process"
ALL_CALLS = 10_000
"""More calls than any program makes: run it to its end."""

LEASE_SECONDS = 300
VISIBILITY_SECONDS = 1_800
MAX_RECEIVES = 4
FUNCTION_SECONDS = 900
JOB_SECONDS = 3_600
FUNCTION_TRIES = 3
JOB_TRIES = 2
FAILURE_EVENT_TRIES = 3

Step = Literal["claim", "transform", "load", "settle", "archive", "done"]
_JOBS = {"transform": TRANSFORM_JOB, "load": LOAD_JOB}


@dataclass(eq=False)
class Running:
    """A running program: a function's invocation or a job's run."""

    name: str
    process: Process
    deadline: datetime
    ended: Callable[["Running"], None]


@dataclass(eq=False)
class Message:
    """A message in the arrivals queue."""

    body: str
    visible_at: datetime
    receives: int = 0


@dataclass(eq=False)
class Execution:
    """An execution of the state machine.

    Attributes:
        current: the program that it waits for; others that it started may still be running.
        transform_run: the job run whose metrics are published.
    """

    name: str
    input: str
    status: str = "RUNNING"
    step: Step = "claim"
    tries_left: int = 0
    current: Running | None = None
    transform_run: str = ""

    @property
    def arn(self) -> str:
        return f"{STATE_MACHINE_ARN.replace(':stateMachine:', ':execution:')}:{self.name}"

    @property
    def manifest_uri(self) -> str:
        return str(json.loads(self.input)["manifest"])


@dataclass(eq=False)
class FailureEvent:
    """A status-change event of an execution that did not succeed, to be delivered to record_failure."""

    detail: dict[str, Any]
    tries_left: int = FAILURE_EVENT_TRIES


@dataclass(eq=False)
class JobRun:
    """A run of a Glue job."""

    id: str
    job: str
    arguments: dict[str, str]
    running: Running
    state: str = "RUNNING"


@dataclass
class Clients:
    """The clients of one program: each call waits until it is the program's turn."""

    s3: Any
    dynamodb: Any
    step_functions: Any
    glue: Any
    sns: Any
    events: Any
    lake: Any


Work = Callable[[Clients], Any]


class Cloud:
    """The services, and every program that runs on them.

    Attributes:
        history: what happened, line by line.
    """

    def __init__(
        self, programs: "Programs", lake: Any, watch: Callable[..., None], on_delete: Callable[..., None]
    ) -> None:
        self.now = datetime(2026, 11, 21, 21, tzinfo=UTC)
        self.s3 = MemoryS3({LANDING}, lambda: self.now, on_delete)
        self.dynamodb = MemoryDynamoDB({FILES: key_of("FilesTable"), METRICS: key_of("MetricsTable")}, watch)
        self.lake = lake
        self.running: list[Running] = []
        self.queue: list[Message] = []
        self.dead_letters: list[Message] = []
        self.executions: dict[str, Execution] = {}
        self.failure_events: list[FailureEvent] = []
        self.job_runs: list[JobRun] = []
        self.alerts = 0
        self.announced: list[dict[str, Any]] = []
        self.retried_transforms: set[str] = set()
        """Executions of which two transforms may have run concurrently."""
        self.history: list[str] = []
        self.step_functions = StepFunctions(self)
        self._programs = programs

    def timestamp(self) -> str:
        """Return the current time of the cloud; replaces clock.now."""
        return clock.timestamp(self.now)

    def record(self, line: str) -> None:
        """Add a line to the history."""
        self.history.append(line)

    # ── programs ──────────────────────────────────────────────────────────────────────────────────────────────────
    def start(self, name: str, seconds: int, work: Work, ended: Callable[[Running], None]) -> Running:
        """Start a program, up to its first call; `ended` is called when it is over, for whatever reason."""
        process = Process(lambda: work(clients), lambda call: self.record(f"    {name}: {call}"))
        sink = _AlertsAndEvents(self)
        services = (self.s3, self.dynamodb, self.step_functions, _Glue(self), sink, sink, self.lake)
        clients = Clients(*map(process.client, services))
        running = Running(name, process, self.now + timedelta(seconds=seconds), ended)
        self.running.append(running)
        return running

    def go(self, running: Running, calls: int, fault: Fault | None = None) -> None:
        """Let a program make some calls, and meet a fault at the next; does nothing if the program is over."""
        if running in self.running:
            running.process.go(calls, fault)
            self._remove_if_over(running)

    def kill(self, running: Running) -> None:
        """End a program at its current call."""
        if running in self.running:
            self.record(f"  {running.name} is killed")
            running.process.kill()
            self._remove_if_over(running)

    def advance(self, seconds: float) -> None:
        """Let time pass: programs time out, and messages that were received too often become dead letters."""
        self.now += timedelta(seconds=seconds)
        for running in [program for program in self.running if program.deadline <= self.now]:
            self.kill(running)
        for message in [message for message in self.visible() if message.receives >= MAX_RECEIVES]:
            self.queue.remove(message)
            self.dead_letters.append(message)

    def _remove_if_over(self, running: Running) -> None:
        if running.process.is_over and running in self.running:
            self.running.remove(running)
            error = running.process.error
            self.record(f"  {running.name} ends: {error!r}" if error else f"  {running.name} ends")
            running.ended(running)

    # ── arrivals queue and validate ───────────────────────────────────────────────────────────────────────────────
    def send(self, body: str, times: int = 1) -> None:
        """Put a message into the arrivals queue: up to twice now, further times after the visibility timeout."""
        for number in range(times):
            delay = timedelta(seconds=VISIBILITY_SECONDS if number > 1 else 0)
            self.queue.append(Message(body, self.now + delay))

    def visible(self) -> list[Message]:
        """Return the messages that can be received now."""
        return [message for message in self.queue if message.visible_at <= self.now]

    def redrive_dead_letters(self) -> None:
        """Put the dead letters back into the queue."""
        self.queue += [Message(message.body, self.now) for message in self.dead_letters]
        self.dead_letters.clear()

    def validate(self, messages: list[Message]) -> Running:
        """Invoke validate with a batch of messages."""
        for message in messages:
            message.visible_at = self.now + timedelta(seconds=VISIBILITY_SECONDS)
            message.receives += 1

        def ended(running: Running) -> None:
            if running.process.error is None:
                failed = running.process.result
                self.queue = [message for message in self.queue if message not in messages or message.body in failed]

        bodies = [message.body for message in messages]
        return self.start("validate", LEASE_SECONDS, lambda clients: self._programs.validate(clients, bodies), ended)

    # ── executions ────────────────────────────────────────────────────────────────────────────────────────────────
    def start_execution(self, name: str, execution_input: str) -> None:
        """Start an execution as Step Functions does: idempotent for the same name and input while it is running."""
        known = self.executions.get(name)
        if known and (known.status != "RUNNING" or known.input != execution_input):
            raise ClientError({"Error": {"Code": "ExecutionAlreadyExists", "Message": name}}, "StartExecution")
        if not known:
            self.executions[name] = Execution(name, execution_input)
            self._enter(self.executions[name], "claim")

    def end_execution(self, execution: Execution, status: str, error: str, cause: str = "") -> None:
        """End an execution without success; its programs may continue, and record_failure will receive an event."""
        self.record(f"  execution {execution.name[:6]}{execution.name[32:]} {status} {error}")
        execution.status = status
        execution.current = None
        about = {"executionArn": execution.arn, "name": execution.name, "input": execution.input}
        self.failure_events.append(FailureEvent({**about, "status": status, "error": error, "cause": cause}))

    def repeat_step(self, execution: Execution) -> None:
        """Lose the output of the step's program: Step Functions retries the step, and the first program continues."""
        self.retried_transforms |= {execution.name} if execution.step == "transform" else set()
        if execution.tries_left:
            execution.tries_left -= 1
            self._run_step(execution)
        else:
            self.end_execution(execution, "FAILED", "States.Timeout")

    def _enter(self, execution: Execution, step: Step) -> None:
        execution.step = step
        if step == "done":
            execution.status = "SUCCEEDED"
            execution.current = None
            return
        execution.tries_left = (JOB_TRIES if step in _JOBS else FUNCTION_TRIES) - 1
        self._run_step(execution)

    def _run_step(self, execution: Execution) -> None:
        step = execution.step
        name = f"{step} {execution.name[:6]}{execution.name[32:]}"
        run_id = f"jr_{len(self.job_runs)}"
        about = (execution, run_id) if step == "transform" else (execution,)
        ended = partial(self._step_ended, execution)

        def work(clients: Clients) -> Any:
            return getattr(self._programs, step)(clients, *about)

        if step in _JOBS:
            execution.current = self.start(f"{name} {run_id}", JOB_SECONDS, work, ended)
            arguments = {"--manifest": execution.manifest_uri, "--execution": execution.name}
            self.job_runs.append(JobRun(run_id, _JOBS[step], arguments, execution.current))
        else:
            execution.current = self.start(name, FUNCTION_SECONDS, work, ended)

    def _step_ended(self, execution: Execution, running: Running) -> None:
        error = running.process.error
        for run in self.job_runs:
            if run.running is running:
                run.state = "FAILED" if error else "SUCCEEDED"
        if execution.current is not running:
            return
        if error is None:
            if execution.step == "transform":
                execution.transform_run = next(run.id for run in self.job_runs if run.running is running)
            self._enter(execution, running.process.result)
        elif execution.tries_left and (execution.step in _JOBS or not isinstance(error, MusicStreamsError)):
            execution.tries_left -= 1
            self._run_step(execution)
        else:
            self.end_execution(execution, "FAILED", type(error).__name__, str(error))

    # ── record_failure ────────────────────────────────────────────────────────────────────────────────────────────
    def deliver_failure(self, event: FailureEvent) -> Running:
        """Invoke record_failure asynchronously: if it fails, it is retried twice."""
        self.failure_events.remove(event)

        def ended(running: Running) -> None:
            if running.process.error and event.tries_left > 1:
                self.failure_events.append(FailureEvent(event.detail, event.tries_left - 1))

        name = f"record_failure {event.detail['name'][:6]}{event.detail['name'][32:]}"
        return self.start(
            name, FUNCTION_SECONDS, lambda clients: self._programs.record_failure(clients, event.detail), ended
        )


@dataclass(frozen=True)
class Programs:
    """The functions and jobs; each step of the state machine returns the name of the next one."""

    validate: Callable[[Clients, list[str]], list[str]]
    claim: Callable[[Clients, Execution], str]
    transform: Callable[[Clients, Execution, str], str]
    load: Callable[[Clients, Execution], str]
    settle: Callable[[Clients, Execution], str]
    archive: Callable[[Clients, Execution], str]
    record_failure: Callable[[Clients, dict[str, Any]], None]


@dataclass(frozen=True)
class StepFunctions:
    cloud: Cloud

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002
        assert stateMachineArn == STATE_MACHINE_ARN
        self.cloud.start_execution(name, input)
        return {}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        known = self.cloud.executions.get(executionArn.rsplit(":", 1)[-1])
        if known is None:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": ""}}, "DescribeExecution")
        return {"status": known.status}


@dataclass(frozen=True)
class _Glue:
    """Glue's job runs; a run that is to be stopped stops after it was listed once more."""

    cloud: Cloud

    def get_paginator(self, operation: str) -> "_Glue":
        assert operation == "get_job_runs"
        return self

    def paginate(self, *, JobName: str) -> Iterator[dict[str, Any]]:
        runs = [run for run in reversed(self.cloud.job_runs) if run.job == JobName]
        at = datetime.now(UTC)
        listed = [{"Id": run.id, "JobRunState": run.state, "Arguments": run.arguments, "StartedOn": at} for run in runs]
        yield {"JobRuns": listed}
        for run in runs:
            if run.state == "STOPPING":
                self.cloud.kill(run.running)

    def batch_stop_job_run(self, *, JobName: str, JobRunIds: list[str]) -> dict[str, Any]:
        for run in self.cloud.job_runs:
            if run.job == JobName and run.id in JobRunIds and run.state == "RUNNING":
                run.state = "STOPPING"
        return {}


@dataclass(frozen=True)
class _AlertsAndEvents:
    """The topic of alerts, and the event bus."""

    cloud: Cloud

    def publish(self, **_: Any) -> dict[str, Any]:
        self.cloud.alerts += 1
        return {}

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.cloud.announced += [json.loads(entry["Detail"]) for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": []}
