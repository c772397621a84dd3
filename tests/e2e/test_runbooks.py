"""The runbooks of docs/runbooks.md, walked: an incident is brought about, the page's own commands end it.

Not walked are `Files are late`, which takes a backlog of a quarter of an hour, and Airflow's part of `The reconciler is
overdue`: here Airflow is down from the start. Commands of `aws` are left out, as no such program is installed.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from music_streams.ingest import s3_events
from music_streams.policy import ATTEMPTS_BEFORE_QUARANTINE
from music_streams.reconcile import inventory
from music_streams.reconcile.reports import Reports
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import Status
from music_streams_cli import journey, sample_data
from music_streams_cli.journey import ENDED, Journey
from tests.e2e.conftest import awaited, music_streams, running_cloud
from tests.e2e.faults.lake import DATABASE, LISTENS, REJECTED_ROWS, Lake
from tests.oracle import scan_items
from tests.runbooks import RUNBOOKS, Runbook, commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CATALOGUE = sample_data.Catalogue.generate(61, songs=60, users=50)
LATER = sample_data.Catalogue.generate(62, songs=40, users=50)  # songs that come after their listens
DAY = date(2024, 3, 5)
ROWS = 120
PATIENCE = 240.0  # seconds
NEEDS_YES = {"retract", "forget"}  # which a person types on a terminal
_seeds = count(1)


@dataclass
class Operator:
    """Somebody with the page, a shell and an address that alerts come to.

    Attributes:
        alerts: the subjects of those that came.
    """

    stack: Stack
    cloud: Path
    folder: Path
    inbox: str
    alerts: list[str] = field(default_factory=list)

    def __call__(self, part: str, *, only: str = "", more: tuple[str, ...] = (), **words: str) -> list[Any]:
        """Run a part's commands, or those that begin so, with what its capitals stand for."""
        typed = [line for line in commands(part) if line.startswith(f"music-streams {only}".strip())]
        assert typed, f"{part}\nhas no {only}"
        return [self._run([words.get(word, word) for word in shlex.split(line)][1:], more) for line in typed]

    def _run(self, command: list[str], more: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        yes = ["--yes"] if command[0] in NEEDS_YES and "--dry-run" not in command else []
        return music_streams(self.cloud, *command, *yes, *more, folder=self.folder)

    def hears(self, runbook: Runbook, subject: str, **words: str) -> None:
        """The alert that the page quotes has come, about these."""
        assert f"`{subject}`" in " ".join(runbook.symptom.split()), "where the page breaks its lines says nothing"
        for name, word in words.items():
            subject = subject.replace(name, word)

        def has_come() -> bool:
            sqs = self.stack.client("sqs")
            received = sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages", [])
            self.alerts.extend(json.loads(message["Body"])["Subject"] for message in received)
            return subject in self.alerts

        awaited(has_come)

    def put(self, name: str, content: bytes) -> Journey:
        """A producer puts a file."""
        return journey.put(self.stack, f"incoming/{name}", content)

    def comes_to(self, put: Journey, *statuses: Status, attempt: int = 1) -> Entry:
        """A file's entry, as soon as it stands there."""

        def find() -> Entry | None:
            entry = self.stack.ledger.entry(put.source_id)
            return entry if entry and entry.status in (statuses or ENDED) and entry.attempt >= attempt else None

        return awaited(find, PATIENCE)

    def archived(self, name: str) -> Journey:
        """A file that went through."""
        put = self.put(name, listens())
        self.comes_to(put, Status.ARCHIVED)
        return put

    def fails(self, put: Journey, attempt: int = 1) -> Entry:
        """Its execution is stopped from outside, as a fault of Glue would end it."""
        running = self.comes_to(put, Status.RUNNING, attempt=attempt)
        self.stack.client("stepfunctions").stop_execution(executionArn=running.execution_arn)
        return self.comes_to(put, Status.FAILED, attempt=attempt)


def listens(catalogue: sample_data.Catalogue = CATALOGUE, dirty: float = 0.0) -> bytes:
    """A streams file that no other is like."""
    return sample_data.streams(next(_seeds), catalogue, DAY, ROWS, dirty=dirty)


def well(ran: list[subprocess.CompletedProcess[str]]) -> str:
    """What commands printed, which all went well."""
    for each in ran:
        assert each.returncode == 0, f"{each.args}: {each.returncode}\n{each.stdout}{each.stderr}"
    return said(ran)


def said(ran: list[subprocess.CompletedProcess[str]]) -> str:
    """What commands printed."""
    for each in ran:
        assert "Traceback" not in each.stderr, each.stderr
        assert each.returncode in {0, 1}, f"{each.args}: {each.returncode}\n{each.stderr}"
    return "\n".join(each.stdout for each in ran)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory) -> Iterator[Path]:
    """One that begins empty, and in which nothing is amiss but what these tests do."""
    with running_cloud(tmp_path_factory.mktemp("cloud-of-runbooks")) as state:
        yield state


@pytest.fixture(scope="module")
def newcomer(cloud, tmp_path_factory) -> Operator:
    """An operator of a pipeline without reference data."""
    stack = find_stack(environment={"LOCAL_CLOUD_STATE": str(cloud)})
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName="operator")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    stack.client("sns").subscribe(TopicArn=stack.outputs["AlertsTopicArn"], Protocol="sqs", Endpoint=arn)
    folder = tmp_path_factory.mktemp("operator")
    (folder / "first.csv").write_bytes(CATALOGUE.songs)
    (folder / "later.csv").write_bytes(LATER.songs)
    return Operator(stack, cloud, folder, url)


@pytest.fixture(scope="module")
def without_songs(newcomer) -> Entry:
    """A file that came before any songs, after the walk."""
    runbook = RUNBOOKS["Songs are missing, or arrived late"]
    put = newcomer.put("early.csv", listens())
    failed = newcomer.comes_to(put, Status.FAILED)
    assert failed.reason == "no_reference_data"
    name = failed.execution_arn.rpartition(":")[2]
    newcomer.hears(runbook, "music-streams: execution EXECUTION FAILED", EXECUTION=name)
    assert "early.csv" in well(newcomer(runbook.check, FILE="early.csv"))
    well(newcomer(runbook.fix, **{"SONGS.csv": "first.csv"}))
    assert "early.csv" not in well(newcomer(runbook.verify))
    return newcomer.comes_to(put, Status.ARCHIVED)


@pytest.fixture(scope="module")
def operator(newcomer, without_songs) -> Operator:
    """An operator of a pipeline that works."""
    return newcomer


def test_a_file_that_came_before_all_songs_is_counted(without_songs):
    assert without_songs.rows_accepted == ROWS


def test_rows_whose_songs_came_late_are_counted(operator):
    runbook = RUNBOOKS["Songs are missing, or arrived late"]
    put = operator.put("parked.csv", listens(LATER))
    assert operator.comes_to(put, Status.ARCHIVED).rejected == {"unknown_track": ROWS}
    assert "parked.csv" in well(operator(runbook.check, FILE="parked.csv"))
    well(operator(runbook.fix, **{"SONGS.csv": "later.csv"}))
    assert "parked.csv" not in well(operator(runbook.verify))
    assert operator.comes_to(put, attempt=2).rows_accepted == ROWS


def test_a_file_of_bad_rows_is_put_again_mended(operator):
    runbook = RUNBOOKS["A file was quarantined"]
    put = operator.put("bad.csv", listens(dirty=0.5))
    operator.comes_to(put, Status.QUARANTINED)
    operator.hears(runbook, "music-streams: too_many_bad_rows: FILE", FILE="bad.csv")
    assert "bad.csv" in well(operator(runbook.check, FILE="bad.csv"))
    (operator.folder / "mended.csv").write_bytes(listens())
    well(operator(runbook.fix, only="put", **{"MENDED.csv": "mended.csv"}))
    # The move to the archive comes a moment after the metrics.
    assert re.match(r"incoming/mended\.csv  (PUBLISHED|ARCHIVED)\n", well(operator(runbook.verify, FILE="mended.csv")))


def test_a_file_that_fails_three_times_is_put_aside_and_released(operator):
    runbook = RUNBOOKS["A file was quarantined"]
    put = operator.put("unlucky.csv", listens())
    for attempt in range(1, ATTEMPTS_BEFORE_QUARANTINE + 1):
        operator.fails(put, attempt)
        if attempt < ATTEMPTS_BEFORE_QUARANTINE:
            operator.archived(f"lucky-{attempt}.csv")
            well(operator(RUNBOOKS["Runs fail"].fix, more=("--no-wait",)))
    repaired = well(operator(RUNBOOKS["Metrics are wrong, or lost"].fix, only="reconcile"))
    entry = operator.comes_to(put)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, "too_many_attempts"), repaired
    operator.hears(runbook, "music-streams: too_many_attempts: FILE", FILE="unlucky.csv")
    assert "too_many_attempts" in well(operator(runbook.check, FILE="unlucky.csv"))
    well(operator(runbook.fix, only="quarantine release", FILE="unlucky.csv"))
    well(operator(runbook.verify, FILE="unlucky.csv"))
    assert operator.comes_to(put, Status.ARCHIVED).rows_accepted == ROWS


def test_what_failed_goes_on_once_the_cause_is_mended(operator):
    runbook = RUNBOOKS["Runs fail"]
    failed = operator.fails(operator.put("stopped.csv", listens()))
    name = failed.execution_arn.rpartition(":")[2]
    operator.hears(runbook, "music-streams: execution EXECUTION FAILED", EXECUTION=name, FAILED="ABORTED")
    assert "stopped.csv" in well(operator(runbook.check, FILE="stopped.csv"))
    well(operator(runbook.fix))
    proof = well(operator(runbook.verify))
    assert "nothing stands still" in proof
    assert "none failed" in proof


def test_a_dead_letter_goes_back(operator):
    runbook = RUNBOOKS["There are dead letters"]
    with lost_events(operator.stack):
        put = operator.put("dead.csv", listens())
    url = operator.stack.outputs["ArrivalsDeadLetterQueueUrl"]
    operator.stack.client("sqs").send_message(QueueUrl=url, MessageBody=event_of(operator.stack, put))
    assert "dead.csv" in well(operator(runbook.check))
    well(operator(runbook.fix))
    assert "no dead letters" in well(operator(runbook.verify))
    assert operator.comes_to(put).status is Status.ARCHIVED


@contextmanager
def lost_events(stack: Stack) -> Iterator[None]:
    """No event of a landed file arrives meanwhile."""
    events = stack.client("events")
    [rule] = [each["Name"] for each in events.list_rules()["Rules"] if "aws.s3" in each.get("EventPattern", "")]
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)


def event_of(stack: Stack, put: Journey) -> str:
    landed = inventory.landed(stack.s3, stack.landing_bucket)
    [event] = [s3_events.event_of(source) for source in landed if source.source_id == put.source_id]
    return event


def test_a_file_whose_event_was_lost_comes_in(operator):
    runbook = RUNBOOKS["A file landed, and nothing happens"]
    with lost_events(operator.stack):
        put = operator.put("unheard.csv", listens())
    at_once = ("--idle", "0")  # the page's five minutes are over
    assert "its event never came" in said(operator(runbook.check, only="redrive", more=at_once))
    well(operator(runbook.fix, more=at_once))
    operator.comes_to(put, Status.ARCHIVED)
    proof = well(operator(runbook.verify, FILE="unheard.csv"))
    assert "ARCHIVED" in proof
    assert "no gaps" in proof


def test_a_wrong_item_is_made_right(operator):
    runbook, before = RUNBOOKS["Metrics are wrong, or lost"], items(operator.stack)
    key = {"pk": f"DAY#{DAY}", "sk": "SUMMARY"}
    operator.stack.metrics.update_item(
        Key=key, UpdateExpression="SET listen_count = :n", ExpressionAttributeValues={":n": 1}
    )
    today = str(datetime.now(UTC).date())
    look = said(operator(runbook.check, DAY=today))
    assert "1 day METRIC_DRIFT" in look
    assert "listen_count is 1, the lake has" in look
    well(operator(runbook.fix, only="reconcile"))
    assert "no gaps" in well(operator(runbook.verify))
    assert items(operator.stack) == before


def test_a_lost_table_is_filled_again(operator):
    runbook, before = RUNBOOKS["Metrics are wrong, or lost"], items(operator.stack)
    with operator.stack.metrics.batch_writer() as table:
        for item in scan_items(operator.stack.metrics):
            table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    well(operator(runbook.fix, only="rebuild"))
    assert "no gaps" in well(operator(runbook.verify))
    assert items(operator.stack) == before


def items(stack: Stack) -> list[dict[str, Any]]:
    """What consumers read, without what tells the run; in order."""
    of_the_run = {"version", "lake_uuid", "batch_id", "updated_at"}
    found = [
        {name: value for name, value in item.items() if name not in of_the_run} for item in scan_items(stack.metrics)
    ]
    return sorted(found, key=lambda item: (item["pk"], item["sk"]))


def test_a_lost_lake_is_made_again(operator):
    runbook, before = RUNBOOKS["The lake is lost"], items(operator.stack)
    for table in (LISTENS, REJECTED_ROWS):
        operator.stack.client("glue").delete_table(DatabaseName=DATABASE, Name=table)
    for key in Lake(operator.stack).files("warehouse/"):
        operator.stack.s3.delete_object(Bucket=operator.stack.lake_bucket, Key=key)
    assert "LAKE_LOST" in said(operator(runbook.check))
    well(operator(runbook.fix))
    assert "no gaps" in well(operator(runbook.verify, DAY=str(datetime.now(UTC).date())))
    assert items(operator.stack) == before


def test_a_file_of_scattered_days_leaves_and_is_put_again(operator):
    runbook = RUNBOOKS["A run recomputed many days"]
    put = operator.archived("scattered.csv")
    assert "scattered.csv" in well(operator(runbook.check, FILE="scattered.csv"))
    (operator.folder / "right.csv").write_bytes(listens())
    well(operator(runbook.fix, FILE="scattered.csv", **{"MENDED.csv": "right.csv"}))
    assert operator.comes_to(put, Status.RETRACTED)
    proof = well(operator(runbook.verify, FILE="scattered.csv", **{"MENDED.csv": "right.csv"}))
    assert "RETRACTED" in proof
    assert re.search("PUBLISHED|ARCHIVED", proof)


def test_a_wrong_file_leaves_and_a_user_is_forgotten(operator):
    runbook, before = RUNBOOKS["A wrong file, or a user, must go"], items(operator.stack)
    put = operator.archived("wrong.csv")
    user = str(CATALOGUE.user_ids[0])
    words = {"FILE": "wrong.csv", "USER": user}
    well(operator(runbook.check, **words))
    well(operator(runbook.fix, only="retract", **words))
    assert operator.comes_to(put, Status.RETRACTED)
    assert items(operator.stack) == before
    well(operator(runbook.fix, only="forget", **words))
    proof = well(operator(runbook.verify, **words))
    assert "RETRACTED" in proof
    assert "no gaps" in proof
    assert items(operator.stack) != before


def test_maintenance_that_failed_is_done_by_hand(operator):
    runbook = RUNBOOKS["Maintenance fails"]
    operator.archived("maintained.csv")
    glue, job = operator.stack.client("glue"), operator.stack.outputs["MaintainJobName"]
    glue.start_job_run(JobName=job, Arguments={"--rejected_rows_days": "many"})
    operator.hears(runbook, "music-streams: maintain-lake FAILED")
    assert "listens" in well(operator(runbook.fix))
    [quiet] = [line for line in well(operator(runbook.verify)).splitlines() if line.startswith("listens")]
    for before, after in re.findall(r"([\d,]+) → ([\d,]+)", quiet):
        assert before == after


def test_without_airflow_a_reconciliation_by_hand_repairs_and_reports(operator):
    runbook = RUNBOOKS["The reconciler is overdue"]
    put = operator.put("unwatched.csv", listens())
    operator.fails(put)
    assert "1 FAILED" in said(operator(runbook.check))
    well(operator(runbook.fix, DAY=str(datetime.now(UTC).date())))
    assert operator.comes_to(put).status is Status.ARCHIVED
    assert "metrics checked" in well(operator(runbook.verify))
    report = Reports(operator.stack.s3, operator.stack.lake_bucket).latest()
    assert report
    assert report.is_whole
