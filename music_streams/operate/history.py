"""An execution as its history tells it: states with their spans, and the Glue runs that it started."""

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
    """One visit to a state; `seconds` is None while it lasts."""

    name: str
    entered_at: datetime
    seconds: float | None = None
    tries: int = 0
    error: str = ""


@dataclass(frozen=True)
class GlueRun:
    """A job run; `seconds` is None while it lasts."""

    job: str
    run_id: str
    state: str
    seconds: float | None
    capacity: float
    error: str = ""


@dataclass(frozen=True)
class Execution:
    """What became of an execution."""

    arn: str
    status: str
    started_at: datetime
    seconds: float | None
    error: str = ""
    states: list[StateVisit] = field(default_factory=list)
    glue_runs: list[GlueRun] = field(default_factory=list)


def execution(stack: Stack, arn: str) -> Execution | None:
    """The execution with its states and job runs; None where AWS remembers it no more."""
    client = stack.client("stepfunctions")
    answers = _remembered(lambda: (client.describe_execution(executionArn=arn), _events(client, arn)))
    if answers is None:
        return None
    found, events = answers
    stopped = found.get("stopDate")
    return Execution(
        arn,
        found["status"],
        found["startDate"],
        (stopped - found["startDate"]).total_seconds() if stopped else None,
        _told(found),
        states(events),
        [_glue_run(stack, job, run_id) for job, run_id in _submitted(events)],
    )


def error_of(stack: Stack, arn: str) -> str:
    """Error and cause of an execution that did not succeed; '' where AWS remembers it no more."""
    return _told(_remembered(lambda: stack.client("stepfunctions").describe_execution(executionArn=arn)) or {})


def glue_run_ids(stack: Stack, arn: str) -> list[str]:
    """The ids of the job runs that an execution has started; none where AWS remembers it no more."""
    events = _remembered(lambda: _events(stack.client("stepfunctions"), arn)) or []
    return [run_id for _, run_id in _submitted(events)]


def states(events: list[dict[str, Any]]) -> list[StateVisit]:
    """The states in the order in which they were entered, from the events of a history."""
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


def _remembered(ask: Callable[[], T]) -> T | None:
    """An answer about an execution; None where AWS remembers it no more (90 days after its end)."""
    try:
        return ask()
    except ClientError as error:
        if error_code(error) == "ExecutionDoesNotExist":
            return None
        raise


def _error(event: dict[str, Any]) -> str:
    name = event["type"][0].lower() + event["type"][1:] + "EventDetails"
    return _told(event.get(name, {}))


def _told(found: Mapping[str, Any]) -> str:
    return ": ".join(found[part] for part in ("error", "cause") if found.get(part))


def _events(client: Any, arn: str) -> list[dict[str, Any]]:  # noqa: ANN401 - a botocore client
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def _submitted(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Job name and run id of each run that was started."""
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
            return GlueRun(job, run_id, "forgotten by Glue", None, 0.0)
        raise
    ended = run.get("CompletedOn")
    seconds = (ended - run["StartedOn"]).total_seconds() if ended else None
    return GlueRun(job, run_id, run["JobRunState"], seconds, run.get("MaxCapacity", 0.0), run.get("ErrorMessage", ""))
