"""The runbooks of docs/runbooks.md: each test causes an incident and ends it with the page's commands.

Not tested are `Files are late`, which needs a backlog of a quarter of an hour, and the part of Airflow in `The
reconciler is overdue`: here Airflow is not running. Commands of `aws` are skipped, because it is not installed.
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
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams_cli import journey, sample_data
from music_streams_cli.journey import ENDED, Journey
from tests.e2e.conftest import awaited, music_streams, running_cloud
from tests.e2e.faults.lake import DATABASE, LISTENS, REJECTED_ROWS, Lake
from tests.oracle import scan_items
from tests.runbooks import RUNBOOKS, Runbook, commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CATALOGUE = sample_data.Catalogue.generate(61, songs=60, users=50)
LATER = sample_data.Catalogue.generate(62, songs=40, users=50)  # songs that arrive after their listens
DAY = date(2024, 3, 5)
ROWS = 120
PATIENCE = 240.0  # seconds
NEEDS_YES = {"retract", "forget"}  # on a terminal, the operator confirms them
_seeds = count(1)


@dataclass
class Operator:
    """An operator with the page, a shell and a subscription to the alerts.

    Attributes:
        alerts: the subjects of the alerts received.
    """

    stack: Stack
    cloud: Path
    folder: Path
    inbox: str
    alerts: list[str] = field(default_factory=list)

    def __call__(self, part: str, *, only: str = "", more: tuple[str, ...] = (), **words: str) -> list[Any]:
        """Run the commands of a part, or those that begin with `only`, with values for the placeholders."""
        typed = [line for line in commands(part) if line.startswith(f"music-streams {only}".strip())]
        assert typed, f"{part}\nhas no {only}"
        return [self._run([words.get(word, word) for word in shlex.split(line)][1:], more) for line in typed]

    def _run(self, command: list[str], more: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        yes = ["--yes"] if command[0] in NEEDS_YES and "--dry-run" not in command else []
        return music_streams(self.cloud, *command, *yes, *more, folder=self.folder)

    def receives(self, runbook: Runbook, subject: str, **words: str) -> None:
        """Wait for the alert that the page quotes, with values for the placeholders."""
        assert f"`{subject}`" in " ".join(runbook.symptom.split()), "the page does not quote the subject"
        for name, word in words.items():
            subject = subject.replace(name, word)

        def is_received() -> bool:
            sqs = self.stack.client("sqs")
            received = sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages", [])
            self.alerts.extend(json.loads(message["Body"])["Subject"] for message in received)
            return subject in self.alerts

        awaited(is_received)

    def put(self, name: str, content: bytes) -> Journey:
        """Put a file as a producer."""
        return journey.put(self.stack, f"incoming/{name}", content)

    def wait_for(self, put: Journey, *statuses: Status, attempt: int = 1) -> Entry:
        """Wait until a file has one of the statuses; return its entry."""

        def find() -> Entry | None:
            entry = self.stack.ledger.entry(put.source_id)
            return entry if entry and entry.status in (statuses or ENDED) and entry.attempt >= attempt else None

        return awaited(find, PATIENCE)

    def archived(self, name: str) -> Journey:
        """Put a file and wait until it is archived."""
        put = self.put(name, listens())
        self.wait_for(put, Status.ARCHIVED)
        return put

    def fail(self, put: Journey, attempt: int = 1) -> Entry:
        """Stop the execution of a file, as a fault of Glue would."""
        running = self.wait_for(put, Status.RUNNING, attempt=attempt)
        self.stack.client("stepfunctions").stop_execution(executionArn=running.execution_arn)
        return self.wait_for(put, Status.FAILED, attempt=attempt)


def listens(catalogue: sample_data.Catalogue = CATALOGUE, dirty: float = 0.0) -> bytes:
    """Return a streams file that differs from all others."""
    return sample_data.streams(next(_seeds), catalogue, DAY, ROWS, dirty=dirty)


def succeeded(ran: list[subprocess.CompletedProcess[str]]) -> str:
    """Return the output of commands; check that all succeeded."""
    for ended in ran:
        assert ended.returncode == 0, f"{ended.args}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return printed(ran)


def printed(ran: list[subprocess.CompletedProcess[str]]) -> str:
    """Return the output of commands."""
    for ended in ran:
        assert "Traceback" not in ended.stderr, ended.stderr
        assert ended.returncode in {0, 1}, f"{ended.args}: {ended.returncode}\n{ended.stderr}"
    return "\n".join(ended.stdout for ended in ran)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory) -> Iterator[Path]:
    """A cloud that starts empty, in which only these tests cause incidents."""
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
    """Put a file before any songs, follow the runbook, and return its entry."""
    runbook = RUNBOOKS["Songs are missing, or arrived late"]
    put = newcomer.put("early.csv", listens())
    failed = newcomer.wait_for(put, Status.FAILED)
    assert failed.reason == "no_reference_data"
    name = failed.execution_arn.rpartition(":")[2]
    newcomer.receives(runbook, "music-streams: execution EXECUTION FAILED", EXECUTION=name)
    assert "early.csv" in succeeded(newcomer(runbook.check, FILE="early.csv"))
    succeeded(newcomer(runbook.fix, **{"SONGS.csv": "first.csv"}))
    assert "early.csv" not in succeeded(newcomer(runbook.verify))
    return newcomer.wait_for(put, Status.ARCHIVED)


@pytest.fixture(scope="module")
def operator(newcomer, without_songs) -> Operator:
    """An operator of a pipeline with reference data."""
    return newcomer


def test_a_file_that_arrived_before_all_songs_is_counted(without_songs):
    assert without_songs.rows_accepted == ROWS


def test_rows_whose_songs_arrived_late_are_counted(operator):
    runbook = RUNBOOKS["Songs are missing, or arrived late"]
    put = operator.put("parked.csv", listens(LATER))
    assert operator.wait_for(put, Status.ARCHIVED).rejected == {"unknown_track": ROWS}
    assert "parked.csv" in succeeded(operator(runbook.check, FILE="parked.csv"))
    succeeded(operator(runbook.fix, **{"SONGS.csv": "later.csv"}))
    assert "parked.csv" not in succeeded(operator(runbook.verify))
    assert operator.wait_for(put, attempt=2).rows_accepted == ROWS


def test_a_fixed_file_replaces_a_file_of_bad_rows(operator):
    runbook = RUNBOOKS["A file was quarantined"]
    put = operator.put("bad.csv", listens(dirty=0.5))
    operator.wait_for(put, Status.QUARANTINED)
    operator.receives(runbook, "music-streams: too_many_bad_rows: FILE", FILE="bad.csv")
    assert "bad.csv" in succeeded(operator(runbook.check, FILE="bad.csv"))
    (operator.folder / "fixed.csv").write_bytes(listens())
    succeeded(operator(runbook.fix, only="put", KEY="bad.csv", **{"FIXED.csv": "fixed.csv"}))
    # The file is archived shortly after its metrics are published.
    assert re.search(
        r"^incoming/bad\.csv  (PUBLISHED|ARCHIVED)$", succeeded(operator(runbook.verify, FILE="bad.csv")), re.MULTILINE
    )


def test_a_songs_file_that_was_archived_in_s3_is_left_out_and_replaced(operator):
    runbook = RUNBOOKS["A reference file is not read"]
    stack, key = operator.stack, "reference/songs/kept.csv"
    version = stack.s3.put_object(Bucket=stack.landing_bucket, Key=key, Body=LATER.songs, StorageClass="GLACIER")[
        "VersionId"
    ]
    source = Source(stack.landing_bucket, key, version, len(LATER.songs), "")

    def unreadable() -> Entry | None:
        entry = stack.ledger.entry(source.source_id)
        return entry if entry and entry.status is Status.FAILED else None

    entry = awaited(unreadable, PATIENCE)
    # As if a lifecycle rule had archived it after its publication.
    stack.s3.put_object(Bucket=stack.landing_bucket, Key=entry.source.kept_key("archive"), Body=LATER.songs)
    stack.dynamodb.update_item(
        TableName=stack.outputs["FilesTableName"],
        Key={"source_id": source.source_id},
        UpdateExpression="SET #status = :archived, archive_key = :key, validated_at = :at, first_published_at = :at",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":archived": "ARCHIVED",
            ":key": entry.source.kept_key("archive"),
            ":at": entry.updated_at,
        },
    )
    operator.archived("beside it.csv")
    operator.receives(runbook, "music-streams: 1 reference file not read")
    awaited(lambda: stack.ledger.entry(source.source_id).left_out)
    assert "archive storage class" in succeeded(operator(runbook.check, FILE="kept.csv"))
    (operator.folder / "kept.csv").write_bytes(LATER.songs)
    succeeded(operator(runbook.fix, **{"SONGS.csv": "kept.csv"}))
    shown = succeeded(operator(runbook.verify, **{"SONGS.csv": "kept.csv"}))
    assert re.search(r"^reference/songs/kept\.csv  ARCHIVED$", shown, re.MULTILINE)


def test_a_file_that_fails_three_times_is_quarantined_and_released(operator):
    runbook = RUNBOOKS["A file was quarantined"]
    put = operator.put("unlucky.csv", listens())
    for attempt in range(1, ATTEMPTS_BEFORE_QUARANTINE + 1):
        operator.fail(put, attempt)
        if attempt < ATTEMPTS_BEFORE_QUARANTINE:
            operator.archived(f"lucky-{attempt}.csv")
            succeeded(operator(RUNBOOKS["Runs fail"].fix, more=("--no-wait",)))
    repaired = succeeded(operator(RUNBOOKS["Metrics are wrong, or lost"].fix, only="reconcile"))
    entry = operator.wait_for(put)
    assert (entry.status, entry.reason) == (Status.QUARANTINED, "too_many_attempts"), repaired
    operator.receives(runbook, "music-streams: too_many_attempts: FILE", FILE="unlucky.csv")
    assert "too_many_attempts" in succeeded(operator(runbook.check, FILE="unlucky.csv"))
    succeeded(operator(runbook.fix, only="quarantine release", FILE="unlucky.csv"))
    succeeded(operator(runbook.verify, FILE="unlucky.csv"))
    assert operator.wait_for(put, Status.ARCHIVED).rows_accepted == ROWS


def test_a_failed_file_is_redriven_after_the_cause_is_fixed(operator):
    runbook = RUNBOOKS["Runs fail"]
    failed = operator.fail(operator.put("stopped.csv", listens()))
    name = failed.execution_arn.rpartition(":")[2]
    operator.receives(runbook, "music-streams: execution EXECUTION FAILED", EXECUTION=name, FAILED="ABORTED")
    assert "stopped.csv" in succeeded(operator(runbook.check, FILE="stopped.csv"))
    succeeded(operator(runbook.fix))
    proof = succeeded(operator(runbook.verify, FILE="stopped.csv"))
    assert "ARCHIVED" in proof
    assert "none failed" in proof


def test_a_dead_letter_is_sent_back(operator):
    runbook = RUNBOOKS["There are dead letters"]
    with lost_events(operator.stack):
        put = operator.put("dead.csv", listens())
    url = operator.stack.outputs["ArrivalsDeadLetterQueueUrl"]
    operator.stack.client("sqs").send_message(QueueUrl=url, MessageBody=event_of(operator.stack, put))
    assert "dead.csv" in succeeded(operator(runbook.check))
    succeeded(operator(runbook.fix))
    assert operator.wait_for(put).status is Status.ARCHIVED
    proof = succeeded(operator(runbook.verify, FILE="dead.csv"))
    assert "ARCHIVED" in proof
    assert "no dead letters" in proof


@contextmanager
def lost_events(stack: Stack) -> Iterator[None]:
    """Lose the events of landed files within the block."""
    events = stack.client("events")
    [rule] = [rule["Name"] for rule in events.list_rules()["Rules"] if "aws.s3" in rule.get("EventPattern", "")]
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)


def event_of(stack: Stack, put: Journey) -> str:
    landed = inventory.landed(stack.s3, stack.landing_bucket)
    [event] = [s3_events.event_of(source) for source in landed if source.source_id == put.source_id]
    return event


def test_a_file_whose_event_was_lost_is_processed(operator):
    runbook = RUNBOOKS["A file landed, and nothing happens"]
    with lost_events(operator.stack):
        put = operator.put("eventless.csv", listens())
    now = ("--idle", "0")  # do not wait for StallSeconds
    assert "its S3 event was not received" in printed(operator(runbook.check, only="redrive", more=now))
    succeeded(operator(runbook.fix, more=now))
    operator.wait_for(put, Status.ARCHIVED)
    proof = succeeded(operator(runbook.verify, FILE="eventless.csv"))
    assert "ARCHIVED" in proof
    assert "no gaps" in proof


def test_a_wrong_item_is_repaired(operator):
    runbook, before = RUNBOOKS["Metrics are wrong, or lost"], items(operator.stack)
    key = {"pk": f"DAY#{DAY}", "sk": "SUMMARY"}
    operator.stack.metrics.update_item(
        Key=key, UpdateExpression="SET listen_count = :n", ExpressionAttributeValues={":n": 1}
    )
    today = str(datetime.now(UTC).date())
    findings = printed(operator(runbook.check, DAY=today))
    assert "1 day METRIC_DRIFT" in findings
    assert "listen_count is 1 in MetricsTable and" in findings
    succeeded(operator(runbook.fix, only="reconcile"))
    assert "no gaps" in succeeded(operator(runbook.verify))
    assert items(operator.stack) == before


def test_a_lost_table_is_rebuilt(operator):
    runbook, before = RUNBOOKS["Metrics are wrong, or lost"], items(operator.stack)
    with operator.stack.metrics.batch_writer() as table:
        for item in scan_items(operator.stack.metrics):
            table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    succeeded(operator(runbook.fix, only="rebuild"))
    assert "no gaps" in succeeded(operator(runbook.verify))
    assert items(operator.stack) == before


def items(stack: Stack) -> list[dict[str, Any]]:
    """Return all items without the attributes of their run, sorted."""
    of_the_run = {"version", "lake_uuid", "batch_id", "updated_at"}
    stored = [
        {name: value for name, value in item.items() if name not in of_the_run} for item in scan_items(stack.metrics)
    ]
    return sorted(stored, key=lambda item: (item["pk"], item["sk"]))


def test_a_lost_lake_is_rebuilt(operator):
    runbook, before, lost = RUNBOOKS["The lake is lost"], items(operator.stack), Lake(operator.stack).metadata(LISTENS)
    for table in (LISTENS, REJECTED_ROWS):
        operator.stack.client("glue").delete_table(DatabaseName=DATABASE, Name=table)
    for key in Lake(operator.stack).files("warehouse/"):
        operator.stack.s3.delete_object(Bucket=operator.stack.lake_bucket, Key=key)
    assert "LAKE_LOST" in printed(operator(runbook.check))
    succeeded(operator(runbook.fix))
    assert "no gaps" in succeeded(operator(runbook.verify, DAY=str(datetime.now(UTC).date())))
    assert items(operator.stack) == before
    new = Lake(operator.stack).metadata(LISTENS)
    assert new["table-uuid"] != lost["table-uuid"]
    assert {item["lake_uuid"] for item in scan_items(operator.stack.metrics)} == {new["table-uuid"]}


def test_a_file_of_scattered_days_is_retracted_and_replaced(operator):
    runbook = RUNBOOKS["A run recomputed many days"]
    put = operator.archived("scattered.csv")
    assert "scattered.csv" in succeeded(operator(runbook.check, FILE="scattered.csv"))
    (operator.folder / "right.csv").write_bytes(listens())
    succeeded(operator(runbook.fix, FILE="scattered.csv", **{"FIXED.csv": "right.csv"}))
    assert operator.wait_for(put, Status.RETRACTED)
    proof = succeeded(operator(runbook.verify, FILE="scattered.csv", **{"FIXED.csv": "right.csv"}))
    assert "RETRACTED" in proof
    assert re.search("PUBLISHED|ARCHIVED", proof)


def test_a_wrong_file_is_retracted_and_a_user_is_forgotten(operator):
    runbook, before = RUNBOOKS["A wrong file, or a user, must go"], items(operator.stack)
    put = operator.archived("wrong.csv")
    user = str(CATALOGUE.user_ids[0])
    words = {"FILE": "wrong.csv", "USER": user}
    succeeded(operator(runbook.check, **words))
    succeeded(operator(runbook.fix, only="retract", **words))
    assert operator.wait_for(put, Status.RETRACTED)
    assert items(operator.stack) == before
    succeeded(operator(runbook.fix, only="forget", **words))
    proof = succeeded(operator(runbook.verify, **words))
    assert "RETRACTED" in proof
    assert "no gaps" in proof
    assert items(operator.stack) != before


def test_failed_maintenance_is_run_by_hand(operator):
    runbook = RUNBOOKS["Maintenance fails"]
    operator.archived("maintained.csv")
    glue, job = operator.stack.client("glue"), operator.stack.outputs["MaintainJobName"]
    glue.start_job_run(JobName=job, Arguments={"--rejected_rows_days": "many"})
    operator.receives(runbook, "music-streams: maintain-lake FAILED")
    assert "listens" in succeeded(operator(runbook.fix))
    [quiet] = [line for line in succeeded(operator(runbook.verify)).splitlines() if line.startswith("listens")]
    for before, after in re.findall(r"([\d,]+) → ([\d,]+)", quiet):
        assert before == after


def test_without_airflow_a_reconciliation_by_hand_repairs_and_reports(operator):
    runbook = RUNBOOKS["The reconciler is overdue"]
    put = operator.put("unwatched.csv", listens())
    operator.fail(put)
    assert "1 FAILED" in printed(operator(runbook.check))
    succeeded(operator(runbook.fix, DAY=str(datetime.now(UTC).date())))
    assert operator.wait_for(put).status is Status.ARCHIVED
    assert "last reconciliation" in succeeded(operator(runbook.verify))
    report = Reports(operator.stack.s3, operator.stack.lake_bucket).latest()
    assert report
    assert report.is_whole
