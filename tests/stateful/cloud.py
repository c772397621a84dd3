"""AWS in memory: what starts the pipeline's programs, retries them, gives up on them, and forgets to tell.

Every program is a Process that makes one AWS call at a time; who makes the next, and which goes wrong, the test says.
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
TO_THE_END = 10_000
"""More calls than any program makes."""

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
    """A program that is not over: a function's invocation or a job's run."""

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
        current: the program whose answer it waits for; others that it had started may be alive still.
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
    """A status-change event of an execution that did not succeed, on its way to record_failure."""

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
class Hands:
    """The clients of one program: each call waits until it is the program's turn."""

    s3: Any
    dynamodb: Any
    step_functions: Any
    glue: Any
    sns: Any
    events: Any
    lake: Any


Work = Callable[[Hands], Any]


class Cloud:
    """The services, and every program that runs on them.

    Attributes:
        story: what happened, line by line.
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
        self.doubled: set[str] = set()
        """Executions of which two transforms may have run side by side."""
        self.story: list[str] = []
        self.step_functions = StepFunctions(self)
        self._programs = programs

    def stamp(self) -> str:
        """The present moment, in place of clock.now."""
        return clock.timestamp(self.now)

    def tell(self, what: str) -> None:
        """Add to the story."""
        self.story.append(what)

    # ── programs ──────────────────────────────────────────────────────────────────────────────────────────────────
    def start(self, name: str, seconds: int, work: Work, ended: Callable[[Running], None]) -> Running:
        """Bring a program to its first call; `ended` is told when it is over, however that came."""
        process = Process(lambda: work(hands), lambda call: self.tell(f"    {name}: {call}"))
        audience = _Audience(self)
        clients = (self.s3, self.dynamodb, self.step_functions, _Glue(self), audience, audience, self.lake)
        hands = Hands(*map(process.client, clients))
        running = Running(name, process, self.now + timedelta(seconds=seconds), ended)
        self.running.append(running)
        return running

    def go(self, running: Running, calls: int, fault: Fault | None = None) -> None:
        """Let a program make some calls, and meet a fault at the next; nothing happens where another has ended it."""
        if running in self.running:
            running.process.go(calls, fault)
            self._look_at(running)

    def kill(self, running: Running) -> None:
        """End a program where it stands."""
        if running in self.running:
            self.tell(f"  {running.name} is killed")
            running.process.kill()
            self._look_at(running)

    def advance(self, seconds: float) -> None:
        """Let time pass: programs that run out of theirs die, messages that came back too often are dead letters."""
        self.now += timedelta(seconds=seconds)
        for running in [each for each in self.running if each.deadline <= self.now]:
            self.kill(running)
        for message in [each for each in self.visible() if each.receives >= MAX_RECEIVES]:
            self.queue.remove(message)
            self.dead_letters.append(message)

    def _look_at(self, running: Running) -> None:
        if running.process.is_over and running in self.running:
            self.running.remove(running)
            error = running.process.error
            self.tell(f"  {running.name} ends: {error!r}" if error else f"  {running.name} ends")
            running.ended(running)

    # ── arrivals queue and validate ───────────────────────────────────────────────────────────────────────────────
    def send(self, body: str, times: int = 1) -> None:
        """Put a message into the arrivals queue, twice perhaps, and any further time when all may be over with it."""
        for number in range(times):
            delay = timedelta(seconds=VISIBILITY_SECONDS if number > 1 else 0)
            self.queue.append(Message(body, self.now + delay))

    def visible(self) -> list[Message]:
        """The messages that may be received now."""
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
                refused = running.process.result
                self.queue = [each for each in self.queue if each not in messages or each.body in refused]

        bodies = [message.body for message in messages]
        return self.start("validate", LEASE_SECONDS, lambda hands: self._programs.validate(hands, bodies), ended)

    # ── executions ────────────────────────────────────────────────────────────────────────────────────────────────
    def start_execution(self, name: str, given: str) -> None:
        """What Step Functions does when it is asked."""
        known = self.executions.get(name)
        if known and (known.status != "RUNNING" or known.input != given):
            raise ClientError({"Error": {"Code": "ExecutionAlreadyExists", "Message": name}}, "StartExecution")
        if not known:
            self.executions[name] = Execution(name, given)
            self._enter(self.executions[name], "claim")

    def end_execution(self, execution: Execution, status: str, error: str, cause: str = "") -> None:
        """Let an execution end without success; what it had started may go on, and record_failure is to hear of it."""
        self.tell(f"  execution {execution.name[:6]}{execution.name[32:]} {status} {error}")
        execution.status = status
        execution.current = None
        known = {"executionArn": execution.arn, "name": execution.name, "input": execution.input}
        self.failure_events.append(FailureEvent({**known, "status": status, "error": error, "cause": cause}))

    def repeat_step(self, execution: Execution) -> None:
        """The answer of the step's program is lost to Step Functions, which tries again; the first goes on, unheard."""
        self.doubled |= {execution.name} if execution.step == "transform" else set()
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

        def work(hands: Hands) -> Any:
            return getattr(self._programs, step)(hands, *about)

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
        """Invoke record_failure asynchronously: it is repeated twice where it fails."""
        self.failure_events.remove(event)

        def ended(running: Running) -> None:
            if running.process.error and event.tries_left > 1:
                self.failure_events.append(FailureEvent(event.detail, event.tries_left - 1))

        name = f"record_failure {event.detail['name'][:6]}{event.detail['name'][32:]}"
        return self.start(
            name, FUNCTION_SECONDS, lambda hands: self._programs.record_failure(hands, event.detail), ended
        )


@dataclass(frozen=True)
class Programs:
    """What the functions and jobs do; each step of the state machine answers which step is next."""

    validate: Callable[[Hands, list[str]], list[str]]
    claim: Callable[[Hands, Execution], str]
    transform: Callable[[Hands, Execution, str], str]
    load: Callable[[Hands, Execution], str]
    settle: Callable[[Hands, Execution], str]
    archive: Callable[[Hands, Execution], str]
    record_failure: Callable[[Hands, dict[str, Any]], None]


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
    """A run that is told to stop does so after another look at it."""

    cloud: Cloud

    def get_paginator(self, operation: str) -> "_Glue":
        assert operation == "get_job_runs"
        return self

    def paginate(self, *, JobName: str) -> Iterator[dict[str, Any]]:
        runs = [run for run in reversed(self.cloud.job_runs) if run.job == JobName]
        at = datetime.now(UTC)
        told = [{"Id": run.id, "JobRunState": run.state, "Arguments": run.arguments, "StartedOn": at} for run in runs]
        yield {"JobRuns": told}
        for run in runs:
            if run.state == "STOPPING":
                self.cloud.kill(run.running)

    def batch_stop_job_run(self, *, JobName: str, JobRunIds: list[str]) -> dict[str, Any]:
        for run in self.cloud.job_runs:
            if run.job == JobName and run.id in JobRunIds and run.state == "RUNNING":
                run.state = "STOPPING"
        return {}


@dataclass(frozen=True)
class _Audience:
    """The topic of alerts, and the event bus."""

    cloud: Cloud

    def publish(self, **_: Any) -> dict[str, Any]:
        self.cloud.alerts += 1
        return {}

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.cloud.announced += [json.loads(entry["Detail"]) for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": []}
