"""An execution from its history: its states with their durations, and the Glue job runs that it started."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from music_streams.aws.clients import error_code
from music_streams.stack import Stack

T = TypeVar("T")
_ENDS = {"ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}


@dataclass
class StateVisit:
    """One visit to a state; `seconds` is None until the state is exited."""

    name: str
    entered_at: datetime
    seconds: float | None = None
    tries: int = 0
    error: str = ""


@dataclass(frozen=True)
class GlueRun:
    """A job run; `seconds` is None while it runs."""

    job: str
    run_id: str
    state: str
    seconds: float | None
    capacity: float
    error: str = ""


@dataclass(frozen=True)
class Execution:
    """An execution; `seconds` is None while it runs."""

    arn: str
    status: str
    started_at: datetime
    seconds: float | None
    error: str = ""
    states: list[StateVisit] = field(default_factory=list)
    glue_runs: list[GlueRun] = field(default_factory=list)


def execution(stack: Stack, arn: str) -> Execution | None:
    """Return an execution with its states and job runs; None if its history expired."""
    client = stack.client("stepfunctions")
    answers = _unless_expired(lambda: (client.describe_execution(executionArn=arn), _events(client, arn)))
    if answers is None:
        return None
    description, events = answers
    stopped = description.get("stopDate")
    return Execution(
        arn,
        description["status"],
        description["startDate"],
        (stopped - description["startDate"]).total_seconds() if stopped else None,
        _error_and_cause(description),
        states(events),
        [_glue_run(stack, job, run_id) for job, run_id in _submitted(events)],
    )


def error_of(stack: Stack, arn: str) -> str:
    """Return error and cause of an execution that did not succeed; '' if its history expired."""
    description = _unless_expired(lambda: stack.client("stepfunctions").describe_execution(executionArn=arn))
    return _error_and_cause(description or {})


def glue_run_ids(stack: Stack, arn: str) -> list[str]:
    """Return the ids of the job runs that an execution started; none if its history expired."""
    events = _unless_expired(lambda: _events(stack.client("stepfunctions"), arn)) or []
    return [run_id for _, run_id in _submitted(events)]


def states(events: list[dict[str, Any]]) -> list[StateVisit]:
    """Return the states in the order in which they were entered, from the events of a history."""
    visited: list[StateVisit] = []
    for event in events:
        kind = event["type"]
        if kind.endswith("StateEntered"):
            visited.append(StateVisit(event["stateEnteredEventDetails"]["name"], event["timestamp"]))
        elif not visited:
            continue
        elif kind == "TaskScheduled":
            visited[-1].tries += 1
        elif kind in {"TaskFailed", "TaskTimedOut", "TaskSubmitFailed"}:
            visited[-1].error = _error(event)
        elif kind.endswith("StateExited") or (kind in _ENDS and visited[-1].seconds is None):
            visited[-1].seconds = (event["timestamp"] - visited[-1].entered_at).total_seconds()
    return visited


def _unless_expired(request: Callable[[], T]) -> T | None:
    """Return the response about an execution; None if it expired (90 days after its end)."""
    try:
        return request()
    except ClientError as error:
        if error_code(error) == "ExecutionDoesNotExist":
            return None
        raise


def _error(event: dict[str, Any]) -> str:
    name = event["type"][0].lower() + event["type"][1:] + "EventDetails"
    return _error_and_cause(event.get(name, {}))


def _error_and_cause(details: Mapping[str, Any]) -> str:
    return ": ".join(details[part] for part in ("error", "cause") if details.get(part))


def _events(client: Any, arn: str) -> list[dict[str, Any]]:  # noqa: ANN401 - a botocore client
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def _submitted(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return job name and run id of each job run that was started."""
    runs = []
    job = ""
    for event in events:
        if event["type"] == "TaskScheduled" and event["taskScheduledEventDetails"]["resourceType"] == "glue":
            job = json.loads(event["taskScheduledEventDetails"]["parameters"])["JobName"]
        elif event["type"] == "TaskSubmitted" and event["taskSubmittedEventDetails"]["resourceType"] == "glue":
            runs.append((job, json.loads(event["taskSubmittedEventDetails"]["output"])["JobRunId"]))
    return runs


def _glue_run(stack: Stack, job: str, run_id: str) -> GlueRun:
    try:
        run = stack.client("glue").get_job_run(JobName=job, RunId=run_id)["JobRun"]
    except ClientError as error:
        if error_code(error) == "EntityNotFoundException":
            return GlueRun(job, run_id, "no longer in Glue", None, 0.0)
        raise
    ended = run.get("CompletedOn")
    seconds = (ended - run["StartedOn"]).total_seconds() if ended else None
    return GlueRun(job, run_id, run["JobRunState"], seconds, run.get("MaxCapacity", 0.0), run.get("ErrorMessage", ""))
