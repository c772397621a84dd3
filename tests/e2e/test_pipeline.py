"""Files from end to end, and every item of MetricsTable compared with the oracle, which reads only the raw files.

Each scenario has its own day, so that all share one cloud and the runs of one wave.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr

from checks.translate import translated
from local.log import LINE
from local.state import StateDir
from music_streams.operate import history
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import Status
from music_streams.transform.ports import DATABASE
from music_streams_cli import journey, output, sample_data
from music_streams_cli.journey import Journey
from tests.e2e.conftest import ROOT, awaited, reference_files, shared_data
from tests.oracle import Batch, Outcome, Reference, StreamFile, differences, evaluate, scan_items
from tests.permissions.recorded import needs_by_job, refusals
from tests.permissions.statements import unused
from tests.template import role_statements

DAY = date(2024, 3, 4)
# A time near midnight with a zone may be on an adjacent day, so scenarios are further apart than that.
IN_TURN, AT_ONCE, ONE_FILE, SAME_BYTES, KEY_AGAIN, LATE = (DAY + timedelta(days=10 * n) for n in range(1, 7))
CATALOGUE = sample_data.Catalogue.generate(7, songs=300, users=400)
TIMEOUT_SECONDS = 240


@dataclass
class Wave:
    """Files that were put with the same reference data."""

    songs: list[bytes]
    users: list[bytes]
    files: list[tuple[Journey, bytes]] = field(default_factory=list)


@dataclass
class World:
    """The files that were put, and the pipeline's result."""

    stack: Stack
    waves: list[Wave] = field(default_factory=list)
    days_of_others: set[str] = field(default_factory=set)

    @classmethod
    def begin(cls, stack: Stack) -> "World":
        """Return a world without the days of other tests."""
        return cls(stack, days_of_others={item["day"] for item in scan_items(stack.metrics)})

    def put_reference(self, name: str, songs: bytes, users: bytes) -> None:
        existing = [reference_files(self.stack, kind) for kind in ("songs", "users")]
        before = self.waves[-1] if self.waves else Wave(songs=existing[0], users=existing[1])
        for kind, content in (("songs", songs), ("users", users)):
            key = f"reference/{kind}/{name}.csv"
            self.stack.s3.put_object(Bucket=self.stack.landing_bucket, Key=key, Body=content)
        self.waves.append(Wave([*before.songs, songs], [*before.users, users]))

    def put(self, key: str, content: bytes) -> Journey:
        put = journey.put(self.stack, f"incoming/{key}", content)
        self.waves[-1].files.append((put, content))
        return put

    def wait_until_ended(self) -> None:
        """Wait until every file put so far has ended."""
        journeys = [put for wave in self.waves for put, _ in wave.files]
        journey.follow(self.stack.ledger, journeys, output.stdout(), TIMEOUT_SECONDS)

    def expected(self) -> Outcome:
        """Return the oracle's result for the raw files."""
        batches = []
        for version, wave in enumerate(self.waves, start=1):
            streams = [StreamFile(put.source_id, content, put.put_at) for put, content in wave.files]
            batches.append(Batch(streams, Reference(wave.songs, wave.users, version)))
        return evaluate(batches)

    def items(self) -> list[dict[str, Any]]:
        return [item for item in scan_items(self.stack.metrics) if item["day"] not in self.days_of_others]

    def of_day(self, day: date) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the items of a day by pk and sk, without the attributes of their run, with `DAY` for the day."""
        omitted = {"version", "batch_id", "updated_at", "lake_uuid", "pk", "sk", "day"}
        return {
            (item["pk"].replace(str(day), "DAY"), item["sk"].replace(str(day), "DAY")): {
                name: value for name, value in item.items() if name not in omitted
            }
            for item in self.items()
            if item["day"] == str(day)
        }

    def entry(self, put: Journey) -> Entry:
        entry = self.stack.ledger.entry(put.source_id)
        assert entry
        return entry


def moved_to(day: date, content: bytes) -> bytes:
    """Return the same rows, moved from `DAY` to another day."""
    for shift in (timedelta(days=-1), timedelta(0), timedelta(days=1)):
        content = content.replace(str(DAY + shift).encode(), str(day + shift).encode())
    return content


def three_files(day: date) -> list[bytes]:
    """Return the same rows for any day: defects, unknown tracks, repetitions within and across files."""
    files = [
        sample_data.streams(seed, CATALOGUE, DAY, 800, dirty=0.05, duplicates=0.05, unknown=0.02) for seed in (1, 2, 3)
    ]
    files[1] += b"".join(files[0].splitlines(keepends=True)[10:60])
    return [moved_to(day, content) for content in files]


def joined(files: list[bytes]) -> bytes:
    """Return all rows of the files under one header."""
    header, _ = files[0].split(b"\n", 1)
    return header + b"\n" + b"".join(content.split(b"\n", 1)[1] for content in files)


@pytest.fixture(scope="module")
def world(stack) -> World:
    """Process all scenarios, in three waves of runs."""
    world = World.begin(stack)
    world.put_reference("made", CATALOGUE.songs, CATALOGUE.users)

    in_turn = three_files(IN_TURN)
    original = sample_data.streams(20, CATALOGUE, SAME_BYTES, 300)
    world.put("in turn/a.csv", in_turn[0])
    for number, content in enumerate(three_files(AT_ONCE)):
        world.put(f"at once/{number}.csv", content)
    world.put("all.csv", joined(three_files(ONE_FILE)))
    world.put("original.csv", original)
    world.put("key.csv", sample_data.streams(30, CATALOGUE, KEY_AGAIN, 300))
    world.put("broken.csv", sample_data.broken(DAY)["missing_columns"])
    world.put("empty.csv", sample_data.broken(DAY)["empty_file"])
    world.wait_until_ended()

    world.put("in turn/b.csv", in_turn[1])
    world.put("_copy of original [1]+%20é.csv", original)
    world.put("key.csv", sample_data.streams(31, CATALOGUE, KEY_AGAIN, 200))
    world.wait_until_ended()

    world.put("in turn/c.csv", in_turn[2])
    world.put("late.csv.gz", sample_data.streams(40, CATALOGUE, LATE, 400, late_days=4))
    world.wait_until_ended()
    return world


def test_every_item_and_every_count_equals_the_oracle(world):
    expected = world.expected()
    assert differences(expected.items, world.items()) == []
    for wave in world.waves:
        for put, _ in wave.files:
            entry, source = world.entry(put), expected.sources[put.source_id]
            assert entry.status is (Status.QUARANTINED if source.verdict else Status.ARCHIVED), put.name
            assert entry.reason == (source.verdict or ""), put.name
            counts = (entry.rows_read, entry.rows_accepted, entry.rejected, tuple(entry.days))
            assert counts == (source.rows_read, source.rows_accepted, source.rejected, source.days), put.name


def test_files_in_sequence_or_at_once_give_the_same_items_as_one_file_with_all_rows(world):
    in_turn, at_once, one_file = (world.of_day(day) for day in (IN_TURN, AT_ONCE, ONE_FILE))
    assert in_turn[("DAY#DAY", "SUMMARY")]["listen_count"] > 1_000
    assert in_turn == at_once == one_file


def test_the_same_bytes_under_another_key_change_no_count(world):
    [(put, original)] = [file for file in world.waves[0].files if file[0].name == "original.csv"]
    alone = Batch([StreamFile("alone", original, put.put_at)], Reference([CATALOGUE.songs], [], 1))
    expected = evaluate([alone]).items[(f"DAY#{SAME_BYTES}", "SUMMARY")]
    summary = world.of_day(SAME_BYTES)[("DAY#DAY", "SUMMARY")]
    assert summary == {name: value for name, value in expected.items() if name in summary}


def test_a_reused_key_with_other_rows_loses_nothing(world):
    again = [put for put, _ in world.waves[0].files if put.name == "key.csv"]
    entries = [world.entry(put) for put in again]
    assert len({put.source_id for put in again}) == 2
    assert [entry.status for entry in entries] == [Status.ARCHIVED, Status.ARCHIVED]
    assert sum(entry.rows_accepted for entry in entries) == 500


def test_every_file_has_its_share_of_the_cost_of_its_run(world):
    ours = {entry.execution_arn for wave in world.waves for put, _ in wave.files if (entry := world.entry(put))} - {""}
    shares = list(world.stack.ledger.with_status(Status.ARCHIVED))  # including reference files
    glue = world.stack.client("glue")
    for arn in ours:
        execution = history.execution(world.stack, arn)
        assert execution
        runs = [glue.get_job_run(JobName=run.job, RunId=run.run_id)["JobRun"] for run in execution.glue_runs]
        billed = sum(max(60, run["ExecutionTime"]) * run["MaxCapacity"] for run in runs)
        of_run = [entry.cost_micro_usd for entry in shares if entry.execution_arn == arn]
        assert 1 < sum(of_run) / (billed / 3_600 * 0.44 * 1_000_000) < 1.2
        assert all(of_run)


def test_incoming_is_empty_and_every_file_is_kept(world):
    bucket = world.stack.landing_bucket
    versions = world.stack.s3.list_object_versions(Bucket=bucket, Prefix="incoming/")
    assert not versions.get("Versions")
    for wave in world.waves:
        for put, content in wave.files:
            kept = world.stack.s3.get_object(Bucket=bucket, Key=world.entry(put).archive_key)["Body"].read()
            assert kept == content, put.name


def structured(log: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of the local cloud's log, which functions and jobs write."""
    texts = (match["text"] for match in map(LINE.match, log.read_text().splitlines()) if match)
    return [json.loads(text) for text in texts if text.startswith("{")]


def test_the_log_lines_of_a_file_are_found_by_its_ids(world, cloud):
    [put] = [put for put, _ in world.waves[0].files if put.name == "late.csv.gz"]
    lines = [line for line in structured(cloud / "cloud.log") if "_aws" not in line]
    changes = [line for line in lines if line.get("source_id") == put.source_id and "status" in line]
    assert [(line["status"], line["service"]) for line in changes] == [
        ("RECEIVED", "validate"),
        ("VALID", "validate"),
        ("RUNNING", "claim"),
        ("PUBLISHED", "settle"),
        ("ARCHIVED", "archive"),
    ]
    [batch_id] = {line["batch_id"] for line in changes[1:]}
    of_run = dict.fromkeys(line["service"] for line in lines if line.get("batch_id") == batch_id)
    assert list(of_run) == ["validate", "claim", "transform-streams", "load-metrics", "settle", "archive"]


def test_the_metrics_equal_the_status_changes_of_the_ledger(world, cloud):
    def complete_sums() -> Counter[str] | None:
        """Return the emitted metrics after the functions that processed the last files have ended."""
        lines = structured(cloud / "cloud.log")
        moves = Counter(f"Files{line['status'].title()}" for line in lines if "status" in line)
        sums = Counter[str]()
        for line in lines:
            for group in line["_aws"]["CloudWatchMetrics"] if "_aws" in line else ():
                sums.update({metric["Name"]: sum(line[metric["Name"]]) for metric in group["Metrics"]})
        return sums if moves == {name: sums[name] for name in moves} else None

    sums = awaited(complete_sums, 30)
    assert sums["FilesReceived"] == len(list(world.stack.ledger.search(Attr("source_id").exists())))
    assert sums["FilesPublished"] >= len(world.waves[0].files) - 2
    assert sums["ItemsWritten"] >= len(world.items())


def test_the_gauges_are_zero_when_all_files_have_ended(world, cloud):
    world.stack.client("lambda").invoke(FunctionName="music-streams-MeasureFunction", Payload=b"{}")
    gauges = [line for line in structured(cloud / "cloud.log") if line.get("service") == "measure" and "_aws" in line]
    assert (gauges[-1]["OldestFileAge"], gauges[-1]["WaitingRunning"]) == ([0.0], [0.0])


@pytest.mark.skipif(not shared_data().is_dir(), reason=f"there is no real input: {shared_data()}")
def test_the_items_of_real_input_equal_the_oracle(world):
    names = ("songs_for_a.csv", "users.csv", "streams_2024-06-25_a.csv")
    songs, users, streams = ((shared_data() / name).read_bytes() for name in names)
    world.put_reference("real", songs, users)
    put = world.put("streams_2024-06-25_a.csv", streams)
    world.wait_until_ended()
    assert world.entry(put).rows_accepted == 11_346
    assert differences(world.expected().items, world.items()) == []


_SCRIPT = "Glue reads script and library with the job's role, from the artifacts bucket"
_LARGE = "S3A uploads large files in parts, and aborts those of failed tasks"
UNSEEN: dict[str, dict[str, str]] = {
    "TransformRole": {
        "s3:GetObject": _SCRIPT,
        "s3:AbortMultipartUpload": _LARGE,
        "s3:ListBucketMultipartUploads": _LARGE,
        "s3:ListMultipartUploadParts": _LARGE,
        "s3:GetBucketLocation": "S3A requests it if no region is set",
    },
    "LoadRole": {
        "s3:GetObject": _SCRIPT,
        "dynamodb:DeleteItem": "items that a day no longer has: tests/integration/load/test_load_job.py",
        "dynamodb:Query": "items that a rebuilt day does not have: tests/integration/load/test_load_job.py",
    },
}
"""Actions that the jobs' roles grant and these runs do not use, and why. Glue writes logs with the job's role."""


def test_the_jobs_use_exactly_the_actions_that_their_roles_grant(world, cloud):
    outputs = world.stack.outputs
    names = ("LandingBucket", "LakeBucket", "FilesTable", "MetricsTable", "TransformJob", "LoadJob")
    logical_ids = {outputs[f"{name}Name"]: name for name in names} | {DATABASE: "LakeDatabase"}
    requests = needs_by_job(StateDir(cloud), logical_ids)
    template = translated(ROOT / "template.yaml")
    services = {"TransformJob": {"s3", "glue", "dynamodb"}, "LoadJob": {"s3", "dynamodb"}}
    for job, role in (("TransformJob", "TransformRole"), ("LoadJob", "LoadRole")):
        needed = requests[outputs[f"{job}Name"]]
        assert {need.action.partition(":")[0] for need in needed} == services[job]
        assert refusals(template, role, needed) == []
        spare = {grant.split(" on ")[0] for grant in unused(role_statements(template, role), needed)}
        assert {action for action in spare if not action.startswith("logs:")} == UNSEEN[role].keys()
