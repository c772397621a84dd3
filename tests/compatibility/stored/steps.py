"""Inputs that the state machine passes to functions and jobs, and the parts of their outputs that it keeps."""

import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any
from unittest.mock import MagicMock, patch

from music_streams.run.executions import Executions
from music_streams.run.job_runs import JobRuns
from music_streams.state.run_files import Manifest, write_manifest, write_summary
from music_streams.state.statuses import Status
from music_streams.transform.job import RunSettings
from tests.compatibility import state_machine
from tests.compatibility.stored.kinds import Stored
from tests.compatibility.stored.moves import advance, before_settling, ledger_of, without_copies
from tests.compatibility.stored.run import ARN, BATCH, EXECUTION, EXECUTIONS, FOLDER, GOOD, JOB_RUN, RUN, SETTLED
from tests.compatibility.stored.sources import PACKED, PLAYS, listed
from tests.compatibility.world import ACCOUNT, FILES, REGION, Document, World
from tests.events.handlers import invoke
from tests.functions import ROOT, Function

_ENVIRONMENT = {
    "FILES_TABLE": FILES,
    "ALERTS_TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts",
    "MAX_FILE_BYTES": "1000",
    "MAX_REJECTED_RATIO": "0.2",
    "TRANSFORM_LEAST_WORKERS": "2",
    "TRANSFORM_MOST_WORKERS": "10",
    "TRANSFORM_JOB": "transform-streams",
    "LOAD_JOB": "load-metrics",
    "POWERTOOLS_METRICS_NAMESPACE": "music-streams",
}
_STEPS = ("Claim sources", "Settle sources", "Archive sources", "Erase copies")
_FUNCTIONS = {step: step.split()[0].lower() for step in _STEPS}


def _call(world: World, folder: str, event: dict[str, Any]) -> Any:
    """Invoke a function's real handler."""
    clients = {"s3": world.s3, "sns": MagicMock(), "events": MagicMock(), "glue": _glue({}), "stepfunctions": None}
    clients["events"].put_events.return_value = {"FailedEntryCount": 0}
    environment = {**_ENVIRONMENT, "POWERTOOLS_SERVICE_NAME": folder}
    with (
        without_copies(),
        patch("music_streams.aws.clients.client", clients.__getitem__),
        patch("music_streams.aws.clients.dynamodb", lambda: world.dynamodb),
    ):
        return invoke(Function("", folder, "", 60, {}), environment, event)


def _before(world: World, step: str) -> None:
    """Set up the state before a step."""
    if step == "Claim sources":
        advance(world, PLAYS, "validate")
        write_manifest(world.s3, FOLDER, Manifest(BATCH, [listed(PLAYS)]))
        return
    before_settling(world)
    if step == "Archive sources":
        ledger = ledger_of(world)
        ledger.mark_published(ledger.entries([PLAYS.source_id])[PLAYS.source_id], GOOD)
    if step == "Erase copies":
        write_manifest(world.s3, FOLDER, Manifest(BATCH, [], forget=[7]))
        write_summary(world.s3, FOLDER, replace(SETTLED, forgotten=[]))


@cache
def _walked(world: World) -> dict[str, Document]:
    """Run every step; return its input, output and the kept part. Jobs are not run."""
    execution = state_machine.Execution(ARN, {"manifest": FOLDER.manifest_uri})
    results = {}
    for step in state_machine.STEPS:
        if step in _FUNCTIONS:
            world.clear()
            _before(world, step)
            results[step] = execution.run_step(step, partial(_call, world, _FUNCTIONS[step]))
        else:
            results[step] = execution.run_step(step, lambda _: JOB_RUN)
    return results


def _step(step: str, output: Document, statuses: list[Status], *older: str) -> Stored:
    """Return a kind whose value is the step's output and the statuses of PLAYS and PACKED after it."""

    def read(world: World, document: Document) -> object:
        _before(world, step)
        actual = _call(world, _FUNCTIONS[step], document["input"])
        # The output must have the fields that the state machine of an execution in flight keeps.
        assert {name: actual[name] for name in document["taken"]} == document["taken"]
        entries = ledger_of(world).entries([PLAYS.source_id, PACKED.source_id])
        return actual, [entries[source.source_id].status for source in (PLAYS, PACKED) if source.source_id in entries]

    means = (output, statuses)
    name = f"steps/{_FUNCTIONS[step]}"
    return Stored(name, lambda world: _walked(world)[step], read, means, dict.fromkeys(older, means))


def _glue(arguments: dict[str, str]) -> Any:
    """Return a client of Glue that lists one run with these arguments, RUNNING until it is stopped."""
    run = {"Id": RUN, "JobRunState": "RUNNING", "StartedOn": datetime.now(UTC), "Arguments": arguments}
    glue = MagicMock()
    glue.get_paginator.return_value.paginate.side_effect = lambda **_: [{"JobRuns": [run]}]
    glue.batch_stop_job_run.side_effect = lambda **_: run.update(JobRunState="STOPPED")
    return glue


def _stopped(arguments: dict[str, str]) -> int:
    """Return how many runs of a job are stopped because of the name of their execution."""
    glue = _glue(arguments)
    with patch("music_streams.run.job_runs._POLL_SECONDS", 0):
        JobRuns(glue, ("a-job",)).end(EXECUTION, lambda: True)
    stops: int = glue.batch_stop_job_run.call_count
    return stops


def _started(script: str, package: str, arguments: dict[str, str]) -> tuple[Any, ...]:
    """Run a job's script as Glue does, with arguments of Glue's own; return the arguments of the product's job."""
    argv = [part for pair in {**arguments, "--JOB_RUN_ID": RUN, "--TempDir": "s3://t/"}.items() for part in pair]
    with (
        patch.object(sys, "argv", [script, *argv]),
        patch("pyspark.sql.SparkSession", MagicMock()),
        patch("music_streams.aws.logs.write_job_lines"),
        patch(f"music_streams.{package}.job.run") as run,
    ):
        runpy.run_path(str(ROOT / "glue" / script))
    arguments_of_run: tuple[Any, ...] = run.call_args.args
    return arguments_of_run


def _transform_run(_: World, document: Document) -> object:
    numbers = {"--max_rejected_ratio": "0.2", "--max_days_per_file": "1000", "--publish_track_metrics": "true"}
    assert numbers.keys() <= document.keys()
    return _started("transform_streams.py", "transform.spark", document | numbers)[-1], _stopped(document)


def _load_run(_: World, document: Document) -> object:
    return _started("load_metrics.py", "load", document)[2:], _stopped(document)


def _maintain_run(_: World, document: Document) -> object:
    return _started("maintain_lake.py", "maintain", document | {"--rejected_rows_days": "30"})[2:5]


def _arguments(step: str, job: str) -> Callable[[World], Document]:
    return lambda world: _walked(world)[step]["input"] | state_machine.own_arguments(job)


def _maintain_arguments(_: World) -> Document:
    return dict(state_machine.own_arguments("MaintainJob"))


def _start(_: World) -> Document:
    client = MagicMock()
    Executions(client, EXECUTIONS.replace(":execution:", ":stateMachine:")).start(FOLDER, 1)
    started = client.start_execution.call_args.kwargs
    return {"name": started["name"], "input": json.loads(started["input"])}


def _failure(world: World, document: Document) -> object:
    """Record the failure of an execution of which only name and input are known; return the result and the status."""
    advance(world, PLAYS, "validate", "run")
    write_manifest(world.s3, FOLDER, Manifest(BATCH, [listed(PLAYS)]))
    detail = {
        "executionArn": f"{EXECUTIONS}:{document['name']}",
        "name": document["name"],
        "status": "FAILED",
        "input": json.dumps(document["input"]),
        "error": "no memory",
        "cause": None,
    }
    event = {"detail-type": "Step Functions Execution Status Change", "detail": detail}
    return _call(world, "record_failure", event), ledger_of(world).entries([PLAYS.source_id])[PLAYS.source_id].status


_TRANSFORM_RUN = RunSettings(FOLDER, EXECUTION, RUN, "LandingBucket", Decimal("0.2"), 1000, publish_track_metrics=True)
_LOAD_RUN = (FOLDER.manifest_uri, RUN, "FilesTable", "MetricsTable")
_CLAIMED = {"left": 0, "has_work": True, "forgets": False, "workers": 2}
_LATER = ("input.transform_run", "input.load_run", "input.transform_run.ExecutionTime")
STEPS = [
    Stored("steps/execution", _start, _failure, ({"failed": 1}, Status.FAILED)),
    _step("Claim sources", _CLAIMED, [Status.RUNNING]),
    _step("Settle sources", {"left": 0}, [Status.PUBLISHED, Status.QUARANTINED], *_LATER),
    _step("Archive sources", {"left": 0}, [Status.ARCHIVED, Status.RUNNING]),
    _step("Erase copies", {"left": 0}, [Status.RUNNING, Status.RUNNING]),
    Stored("jobs/transform", _arguments("Transform streams", "TransformJob"), _transform_run, (_TRANSFORM_RUN, 1)),
    Stored("jobs/load", _arguments("Load metrics", "LoadJob"), _load_run, (_LOAD_RUN, 1)),
    Stored("jobs/maintain", _maintain_arguments, _maintain_run, ("LakeBucket", RUN, 30)),
]
