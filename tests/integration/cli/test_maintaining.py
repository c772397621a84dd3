"""`music-streams maintain`, with a simulated job."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from music_streams.maintain import report
from music_streams.maintain.report import MaintenanceReport, Size, TableReport
from music_streams.stack import Stack
from music_streams_cli import maintenance
from tests.unit.cli.golden import check

TABLES = [
    TableReport("rejected_rows", Size(12, 40_000, 12, 13), Size(3, 12_000, 1, 9), 1_234, 0, []),
    TableReport("listens", Size(1_250, 52_000_000, 101, 1_251), Size(65, 41_000_000, 2, 402), 0, 3, ["5 data files"]),
]


class Glue:
    """One job, whose runs pass through the states and stay in the last one."""

    def __init__(self, *states: str, error: str = "", rejected: str = "") -> None:
        self._states = list(states)
        self._error = error
        self._rejected = rejected
        self.started: list[dict[str, Any]] = []

    def start_job_run(self, **arguments: Any) -> dict[str, str]:
        if self._rejected:
            raise ClientError({"Error": {"Code": self._rejected, "Message": "no"}}, "StartJobRun")
        self.started.append(arguments)
        return {"JobRunId": "jr_1"}

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803 - boto3 defines the names
        assert (JobName, RunId) == ("maintain-lake", "jr_1")
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        error = {"ErrorMessage": self._error} if self._error and state not in {"STARTING", "RUNNING"} else {}
        return {"JobRun": {"JobRunState": state, **error}}


@pytest.fixture
def glue(stack, monkeypatch) -> Callable[[Glue], Glue]:
    """Replace the job of the stack."""
    monkeypatch.setattr(maintenance, "_POLL_SECONDS", 0.01)
    client = Stack.client

    def use(job: Glue) -> Glue:
        monkeypatch.setattr(Stack, "client", lambda self, name: job if name == "glue" else client(self, name))
        return job

    report.write(stack.s3, stack.lake_bucket, MaintenanceReport("jr_1", TABLES))
    return use


def test_both_tables_are_shown_before_and_after(run, glue, golden):
    job = glue(Glue("STARTING", "RUNNING", "SUCCEEDED"))
    ended = run("maintain")
    assert ended.exit_code == 0, ended.stderr
    assert job.started == [{"JobName": "maintain-lake"}]
    check(golden / "maintain.txt", ended.stdout)


def test_json_contains_the_run_and_the_tables(run, glue):
    glue(Glue("SUCCEEDED"))
    result = json.loads(run("maintain", "--json").stdout)["result"]
    assert (result["run"], result["state"]) == ("jr_1", "SUCCEEDED")
    listens = result["tables"][1]
    assert (listens["before"]["data_files"], listens["after"]["snapshots"]) == (1250, 402)
    assert listens["left"] == ["5 data files"]


def test_a_lake_without_tables_is_reported(run, stack, glue):
    glue(Glue("SUCCEEDED"))
    report.write(stack.s3, stack.lake_bucket, MaintenanceReport("jr_1", []))
    assert "no tables yet" in run("maintain").stdout


def test_a_run_that_fails_says_why_and_what_to_do(run, glue):
    glue(Glue("RUNNING", "FAILED", error="CommitFailedException: cannot commit"))
    ended = run("maintain")
    assert ended.exit_code == 1
    assert "FAILED jr_1: CommitFailedException: cannot commit" in ended.stdout
    assert "aws glue get-job-run --job-name maintain-lake --run-id jr_1" in ended.stdout


@pytest.mark.parametrize(
    ("rejected", "exit_code", "words"),
    [
        ("ConcurrentRunsExceededException", 1, "a run of the lake maintenance is in progress"),
        ("AccessDeniedException", 3, "access denied to StartJobRun"),
    ],
)
def test_the_reason_why_a_run_cannot_start_is_shown(run, glue, rejected, exit_code, words):
    glue(Glue("RUNNING", rejected=rejected))
    ended = run("maintain")
    assert ended.exit_code == exit_code
    assert words in ended.stderr


def test_a_run_that_takes_too_long_continues_without_the_command(run, glue):
    glue(Glue("RUNNING"))
    ended = run("maintain", "--timeout", "0")
    assert ended.exit_code == 4
    assert "has not finished after 0 s; it continues" in ended.stderr


def test_without_waiting_the_job_is_only_started(run, glue):
    job = glue(Glue("RUNNING"))
    assert run("maintain", "--no-wait").stdout == "sent: maintain the lake\n"
    assert job.started


def test_a_report_survives_a_round_trip(stack):
    written = MaintenanceReport("jr_2", [replace(TABLES[0], left=["a", "b"])])
    report.write(stack.s3, stack.lake_bucket, written)
    assert report.read(stack.s3, stack.lake_bucket, "jr_2") == written
