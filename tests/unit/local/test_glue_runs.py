import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from local.aws import Aws
from local.credentials import Credentials
from local.glue_runs import GlueRuns, last_error
from local.host import Host
from local.log import CloudLog

TRACEBACK = """\
starting
Traceback (most recent call last):
  File "a.py", line 1, in <module>
ValueError: first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise
pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] it is not there
If you did not qualify the name
'Project [*]
+- 'UnresolvedRelation
"""


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (TRACEBACK, "pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] it is not there"),
        ("some output\nno reference data\n\n", "no reference data"),
        ("Traceback (most recent call last):\n  File\nKeyboardInterrupt\n", "KeyboardInterrupt"),
        ("", "no output"),
    ],
)
def test_the_last_exception_or_line_is_the_error(log, error):
    assert last_error(log.splitlines()) == error


class Store(Aws):
    """A store in which every script is the same."""

    def __init__(self, script: str) -> None:
        super().__init__("http://127.0.0.1:9", "us-east-1", Credentials.random())
        self._script = script

    def client(self, _: str) -> SimpleNamespace:
        def download_file(bucket: str, key: str, target: str) -> None:
            Path(target).write_text(self._script)

        return SimpleNamespace(download_file=download_file)


@pytest.fixture
def ended() -> list[SimpleNamespace]:
    """The runs that were reported as ended."""
    return []


@pytest.fixture
def start(tmp_path, ended):
    """Start runs of scripts; runs that are left at the end of the test are killed."""
    (tmp_path / "scratch").mkdir()
    log = CloudLog(tmp_path / "log")
    started = []

    def start_one(script, timeout=None):
        job = SimpleNamespace(
            name="a/../job",
            glue_version=None,
            command={"Name": "pythonshell", "ScriptLocation": "s3://b/x/../script.py"},
        )
        run = SimpleNamespace(
            job_run_id="jr_1", arguments={}, timeout=timeout, status="STARTING", started_on=datetime(2026, 1, 1)
        )
        runs = GlueRuns(tmp_path / "glue", Host(tmp_path / "scratch", Store(script), str(tmp_path), log), ended.append)
        runs.start(job, run)
        started.append((runs, run))
        return runs, run

    yield start_one
    for runs, _ in started:
        runs.close()
    wait_for(lambda: all(run.status not in {"STARTING", "RUNNING", "STOPPING"} for _, run in started))
    log.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_takes_too_long_times_out(start):
    _, run = start("import time; print('sleeping'); time.sleep(60)", timeout=0.01)
    wait_for(lambda: run.status == "TIMEOUT")
    assert run.error_message == "Job run exceeded its timeout of 0.01 minutes"
    assert run.completed_on is not None


@pytest.mark.parametrize(("script", "state"), [("", "SUCCEEDED"), ("raise SystemExit(1)", "FAILED")])
def test_the_end_of_a_run_is_reported_with_its_state(start, ended, script, state):
    start(script)
    wait_for(lambda: ended)
    assert [run.status for run in ended] == [state]


def test_closing_kills_running_jobs(start):
    runs, run = start("import time; time.sleep(60)")
    wait_for(lambda: run.status == "RUNNING")
    runs.close()
    wait_for(lambda: run.status == "STOPPED")


def test_names_from_outside_are_not_used_as_paths(start, tmp_path):
    _, run = start("print('done')")
    wait_for(lambda: run.status == "SUCCEEDED")
    assert [path.name for path in (tmp_path / "glue").iterdir()] == ["a_.._job"]
    assert (tmp_path / "glue" / "a_.._job" / "jr_1.log").read_text() == "done\n"
    assert list((tmp_path / "scratch").iterdir()) == []
