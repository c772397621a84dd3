"""Measures what AWS bills for the pipeline: calls, seconds and sizes; writes music_streams/cost/measured.toml.

    .venv/bin/python -m benchmarks.units calls   # in this process, on moto: exact, the same everywhere
    make up FRESH=1
    .venv/bin/python -m benchmarks.units jobs    # on the running local cloud: of this machine

``calls`` runs the functions' own code for one file and for several, and counts its calls to AWS: those of a run, and
those that each of its files adds. ``jobs`` processes files of several sizes, and measures a job run with almost no
work, and the CPU seconds for each row that it reads and for each row of the days that it recomputes. Of several
repetitions the best counts, because other load on the machine only adds time.
"""

import argparse
import json
import math
import os
import statistics
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import Any
from unittest.mock import patch

import psutil
import yaml
from boto3.dynamodb.conditions import Key
from botocore.client import BaseClient
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from benchmarks.cloud import CATALOGUE, upload_reference
from benchmarks.measure import ROOT, watching
from music_streams.aws import clients
from music_streams.aws.alert_sender import Alerts
from music_streams.cost import measured
from music_streams.ingest.intake import Intake
from music_streams.load.fence import DayPublisher, DayToPublish
from music_streams.load.items import Provenance
from music_streams.operate import history
from music_streams.run.archive import archive_sources
from music_streams.run.claim import claim_sources
from music_streams.run.executions import Executions
from music_streams.run.job_runs import JobRuns
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.stack import Stack, find_stack, state_folder
from music_streams.state.ledger import Ledger
from music_streams.state.run_files import RunFolder, SourceOutcome, Summary, read_claimed, write_result
from music_streams.state.statuses import Status
from music_streams_cli import journey, output, sample_data

LANDING, LAKE, FILES, METRICS = "landing", "lake", "files", "metrics"
RUN_ID = "jr_1"
DAY = "2024-06-25"
CONTENT = b"user_id,track_id,listen_time\n7,4dBa8T7oDV9WvGr7kVS4Ez,2024-06-25 17:43:13\n"
"""A file; the number of calls does not depend on its size."""

_UNITS = {
    **dict.fromkeys(("PutObject", "CopyObject", "ListObjectsV2", "ListObjectVersions"), "s3_writes"),
    **dict.fromkeys(("GetObject", "HeadObject"), "s3_reads"),
    **dict.fromkeys(("DeleteObject", "StartExecution"), "free"),
    "PutEvents": "events",
}


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the calls to AWS within the block, in all threads: by billed unit, and as `calls`."""
    units = Counter[str]()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # its stub shows the public part

    def counting(client: Any, operation: str, params: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's signature
        unit, count = _billed(client.meta.service_model.service_name, operation, params)
        units.update({unit: count, "calls": 1})
        return call(client, operation, params)

    with patch.object(BaseClient, "_make_api_call", counting):
        yield units
    del units["free"]


def _billed(service: str, operation: str, params: dict[str, Any]) -> tuple[str, int]:
    """Return the units of a call for items up to 1 KB. Each status change rewrites the item of the index by-status."""
    match service, operation:
        case "dynamodb", "PutItem":
            return "write_units", 2  # the item, and its index entry
        case "dynamodb", "UpdateItem" if str(params["Key"]["source_id"]).startswith("FENCE#"):
            return "fences", 1  # large, because they list a day's keys
        case "dynamodb", "UpdateItem":
            return "write_units", 3  # the item, its old index entry, and its new one
        case "dynamodb", "BatchGetItem":
            return "read_units", sum(len(request["Keys"]) for request in params["RequestItems"].values())
        case "dynamodb", "GetItem":
            return "read_units", 1
        case _ if operation in _UNITS:
            return _UNITS[operation], 1
    raise AssertionError(f"{service} {operation} has no billed unit: add it to _billed in benchmarks/units.py")


class Pipeline:
    """The functions' code that calls AWS, on moto."""

    def __init__(self) -> None:
        self.s3 = clients.client("s3")
        self.dynamodb = clients.dynamodb()
        for bucket in (LANDING, LAKE):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=LANDING, VersioningConfiguration={"Status": "Enabled"})
        _create_table(self.dynamodb, FILES, ["source_id"], "by-status", ["status", "updated_at"])
        _create_table(self.dynamodb, METRICS, ["pk", "sk"], "by-day", ["day", "pk"])
        machine = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}})
        states = clients.client("stepfunctions")
        role = "arn:aws:iam::123456789012:role/states"
        arn = states.create_state_machine(name="process", definition=machine, roleArn=role)["stateMachineArn"]
        self.ledger = Ledger(FILES)
        unused: Any = None
        quarantine = Quarantine(self.s3, self.ledger, Alerts(unused, ""))
        self.executions = Executions(states, arn)
        self.intake = Intake(
            s3=self.s3,
            executions=self.executions,
            job_runs=JobRuns(unused, ()),
            ledger=self.ledger,
            quarantine=quarantine,
            landing_bucket=LANDING,
            lake_bucket=LAKE,
            timeout_seconds=300,
            lease_seconds=300,
            max_file_bytes=1024**3,
        )
        self.settlement = Settlement(self.s3, clients.client("events"), self.ledger, quarantine, 0.2)

    def run(self, files: int) -> dict[str, Counter[str]]:
        """Process so many files; return the calls of each function."""
        steps: dict[str, Counter[str]] = {}
        bodies = [self._arrival(f"incoming/{files}/{number}.csv") for number in range(files)]

        def count(step: str, action: Callable[[], object]) -> None:
            with counted() as steps[step]:
                action()

        count("validate", lambda: self._validate(bodies))
        [entry, *_] = self.ledger.with_status(Status.VALID)
        folder, arn = RunFolder(LAKE, entry.batch_id), self.executions.arn(entry.batch_id, 1)
        manifest = folder.manifest_uri
        count("claim", lambda: claim_sources(self.s3, self.ledger, manifest, arn, _always))
        name = f"{folder.batch_id}-1"
        outcomes = {
            source_id: SourceOutcome(1, 1, {}, [DAY]) for source_id in read_claimed(self.s3, folder, name).source_ids
        }
        summary = Summary(folder.batch_id, name, 1, "lake", [DAY], f"metrics/{RUN_ID}", outcomes)
        write_result(self.s3, folder, RUN_ID, summary)
        runs = [{"ExecutionTime": 60, "MaxCapacity": 2.0}, {"ExecutionTime": 20, "MaxCapacity": 0.0625}]
        count("settle", lambda: self.settlement.settle(manifest, arn, RUN_ID, _always, runs))
        count("archive", lambda: archive_sources(self.s3, self.ledger, manifest, arn, _always))
        return steps

    def load(self, days: int) -> Counter[str]:
        """Publish so many days without items; return the calls of the fence."""
        provenance = Provenance(days, "lake", "batch", "2026-11-22T00:00:00.000Z")
        publisher = DayPublisher(self.dynamodb, FILES, METRICS, provenance)
        with counted() as calls:
            publisher.publish([DayToPublish(str(date(2024, 1, 1) + timedelta(days=number))) for number in range(days)])
        return calls

    def _validate(self, bodies: list[str]) -> None:
        invocation = self.intake.start_invocation(lambda: 300.0)
        for body in bodies:
            invocation.process(body)
        invocation.launch()

    def _arrival(self, key: str) -> str:
        version = self.s3.put_object(Bucket=LANDING, Key=key, Body=CONTENT)["VersionId"]
        put = {"bucket": {"name": LANDING}, "object": {"key": key, "size": len(CONTENT), "version-id": version}}
        message = {"source": "aws.s3", "detail-type": "Object Created", "time": "2024-06-26T08:00:00Z", "detail": put}
        return json.dumps(message)


def _always() -> bool:
    return True


def _create_table(
    dynamodb: Any,  # noqa: ANN401 - see clients.dynamodb
    name: str,
    keys: list[str],
    index: str,
    index_keys: list[str],
) -> None:
    def schema(of: list[str]) -> list[dict[str, str]]:
        return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(of, ("HASH", "RANGE"), strict=False)]

    projection = {"ProjectionType": "ALL"}
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in {*keys, *index_keys}],
        KeySchema=schema(keys),
        GlobalSecondaryIndexes=[{"IndexName": index, "KeySchema": schema(index_keys), "Projection": projection}],
    )


def count_calls() -> dict[str, dict[str, int]]:
    """Return the calls of a run by function, and those that each file adds as ``<function>_file``."""
    few, many = 1, 5
    with mock_aws():
        pipeline = Pipeline()
        of_few, of_many = pipeline.run(few), pipeline.run(many)
        fence_few, fence_many = pipeline.load(few), pipeline.load(many)
    result: dict[str, dict[str, int]] = {}
    for step, calls in (of_few | {"load": fence_few}).items():
        more = (of_many | {"load": fence_many})[step]
        added = {unit: (more[unit] - calls[unit]) // (many - few) for unit in _in_order(more)}
        result[step] = {unit: count for unit in _in_order(calls) if (count := calls[unit] - few * added[unit])}
        result[f"{step}_{'day' if step == 'load' else 'file'}"] = {
            unit: count for unit, count in added.items() if count
        }
    return result


def _in_order(units: Iterable[str]) -> list[str]:
    return sorted(units, key=lambda unit: (unit == "calls", unit))


ROWS = 200_000
SMALL_ROWS = 1_000
TRIES = 2


def _note_cpu_seconds(used: dict[int, float]) -> None:
    """Record the CPU seconds of the cloud's Spark processes, which other load affects less than wall time."""
    state = str(state_folder().resolve())
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if state in command and "transform_streams.py" in command:
            with suppress(psutil.NoSuchProcess):
                for member in (process, *process.children(recursive=True)):
                    times = member.cpu_times()
                    used[member.pid] = times.user + times.system


def _measure_run(stack: Stack, name: str, content: bytes) -> tuple[float, float, float]:
    """Process a file; return CPU seconds of the transform, seconds of the transform, seconds of the load."""
    used: dict[int, float] = {}
    with watching(lambda: _note_cpu_seconds(used), 0.2):
        file = journey.put(stack, f"incoming/units/{name}.csv", content)
        journey.follow(stack.ledger, [file], output.stderr(quiet=True), 1800)
    entry = stack.ledger.entry(file.source_id)
    execution = history.execution(stack, entry.execution_arn) if entry else None
    seconds = {run.job: run.seconds or 0.0 for run in execution.glue_runs} if execution else {}
    transform, load = (seconds[stack.outputs[f"{job}JobName"]] for job in ("Transform", "Load"))
    cpu = sum(used.values())
    print(f"{name:>10}: transform {transform:.1f} s, {cpu:.1f} s of CPU; load {load:.1f} s", flush=True)
    return cpu, transform, load


def measure_jobs() -> dict[str, float]:
    """Measure job runs on the running local cloud, and the size of a day's items and fence."""
    stack = find_stack()
    upload_reference(stack)
    big_day, seeds = date(2024, 6, 25), iter(range(1, 1_000))

    def small(day: date) -> bytes:
        return sample_data.streams(next(seeds), CATALOGUE, day, SMALL_ROWS)

    _measure_run(stack, "warm-up", small(date(2024, 1, 1)))
    alone = [_measure_run(stack, f"alone-{n}", small(date(2024, 2, 1 + n))) for n in range(TRIES)]
    big = sample_data.streams(next(seeds), CATALOGUE, big_day, ROWS)
    read, _, _ = _measure_run(stack, "big", big)
    beside = [_measure_run(stack, f"beside-{n}", small(big_day)) for n in range(TRIES)]
    least, fixed, load = (min(times) for times in zip(*alone, strict=True))
    recompute = min(cpu for cpu, _, _ in beside)
    key = Key("day").eq(str(big_day))
    raw = stack.metrics.query(IndexName="by-day", KeyConditionExpression=key)["Items"]
    fence_key: Any = {"source_id": f"FENCE#{big_day}"}
    fence = stack.dynamodb.get_item(TableName=stack.outputs["FilesTableName"], Key=fence_key)["Item"]
    return {
        "transform_fixed": round(fixed, 1),
        "cpu_per_million_rows_read": round((read - recompute) * 1_000_000 / ROWS, 1),
        "cpu_per_million_rows_recomputed": round((recompute - least) * 1_000_000 / ROWS, 1),
        "load_fixed": round(load, 1),
        "bytes_per_row": round(len(big) / ROWS, 1),
        "items_per_day": len(raw),
        "write_units_per_item": round(statistics.mean(2 * _kilobytes(each) for each in raw), 2),
        "write_units_per_fence": _kilobytes(fence),
    }


def _kilobytes(value: dict[str, Any]) -> int:
    """Return the write units of an item: its size in KB, rounded up."""
    return math.ceil(_size(value) / 1024)


def _size(value: object) -> int:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    if isinstance(value, dict):
        return 3 + sum(len(name.encode()) + 1 + _size(each) for name, each in value.items())
    if isinstance(value, list | set):
        return 3 + sum(1 + _size(each) for each in value)
    if isinstance(value, str):
        return len(value.encode())
    return len(str(value)) // 2 + 2  # a number


def count_template() -> dict[str, int]:
    """Count in template and state machine: transitions of a run without retries, alarms, keys."""
    states = yaml.safe_load((ROOT / "statemachine" / "process_streams.asl.yaml").read_text("utf-8"))
    transitions, name = 1, states["StartAt"]  # the start counts too
    while name:
        transitions += 1
        state = states["States"][name]
        name = state.get("Next") or state.get("Default")
    resources = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))["Resources"].values()
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    return {
        "transitions": transitions,
        "alarm_metrics": sum(sum("MetricStat" in m for m in each.get("Metrics", [])) or 1 for each in alarms),
        "keys": sum(each["Type"] == "AWS::KMS::Key" for each in resources),
    }


def as_toml(content: dict[str, dict[str, Any]]) -> str:
    """Format sections of numbers as TOML."""
    lines = [
        "# Written by benchmarks/units.py: calls and template are exact, job_figures of the machine that measured them."
    ]
    for section, values in content.items():
        lines += ["", f"[{section}]"]
        for name, value in values.items():
            pairs = ", ".join(f"{unit} = {count}" for unit, count in value.items()) if isinstance(value, dict) else ""
            lines.append(f"{name} = {{ {pairs} }}" if isinstance(value, dict) else f"{name} = {value}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure one part, and write the file with the other part unchanged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["calls", "jobs"])
    part = parser.parse_args().part
    known = tomllib.loads(measured.FILE.read_text("utf-8")) if measured.FILE.exists() else {}
    if part == "calls":
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        known |= {"calls": count_calls(), "template": count_template()}
    else:
        known["job_figures"] = measure_jobs()
    measured.FILE.write_text(as_toml(known), "utf-8")
    print(f"written: {measured.FILE}")


if __name__ == "__main__":
    main()
