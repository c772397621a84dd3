"""What of the pipeline AWS bills: calls counted, seconds and sizes measured; writes music_streams/cost/measured.toml.

    .venv/bin/python -m benchmarks.units calls      # in this process, on moto: exact, the same everywhere
    make up FRESH=1
    .venv/bin/python -m benchmarks.units seconds    # on the running local cloud: of this machine

``calls`` runs the functions' own code over one file and over several, counts what it asks of AWS, and so tells
what a run asks and what each of its files adds. ``seconds`` sends files of several sizes through and tells what a
job run takes with next to nothing to do, and the CPU seconds that are added by each row that it reads, and by each row
of the days that it recomputes. Of several tries the best counts: what else the machine does only adds.
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
from music_streams.aws.alert_topic import Alerts
from music_streams.cost import measured
from music_streams.ingest.intake import Intake
from music_streams.load.fence import Day, Fence
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
"""A file; the number of calls does not go by its size."""

_UNITS = {
    **dict.fromkeys(("PutObject", "CopyObject", "ListObjectsV2", "ListObjectVersions"), "s3_writes"),
    **dict.fromkeys(("GetObject", "HeadObject"), "s3_reads"),
    **dict.fromkeys(("DeleteObject", "StartExecution"), "free"),
    "PutEvents": "events",
}


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count what clients ask of AWS within the block, in whatever thread: in the units that it bills, and `calls`."""
    units = Counter[str]()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # its stub shows the public part

    def noted(client: Any, operation: str, params: dict[str, Any]) -> Any:  # noqa: ANN401 - as botocore has it
        unit, count = _billed(client.meta.service_model.service_name, operation, params)
        units.update({unit: count, "calls": 1})
        return call(client, operation, params)

    with patch.object(BaseClient, "_make_api_call", noted):
        yield units
    del units["free"]


def _billed(service: str, operation: str, params: dict[str, Any]) -> tuple[str, int]:
    """The units of a call, of items up to 1 KB; by-status is rewritten by every move: an index key changes."""
    match service, operation:
        case "dynamodb", "PutItem":
            return "write_units", 2  # the item, and its place in the index
        case "dynamodb", "UpdateItem" if str(params["Key"]["source_id"]).startswith("FENCE#"):
            return "fences", 1  # they list a day's keys, and are large
        case "dynamodb", "UpdateItem":
            return "write_units", 3  # the item; its old place in the index, and its new one
        case "dynamodb", "BatchGetItem":
            return "read_units", sum(len(asked["Keys"]) for asked in params["RequestItems"].values())
        case "dynamodb", "GetItem":
            return "read_units", 1
        case _ if operation in _UNITS:
            return _UNITS[operation], 1
    raise AssertionError(f"{service} {operation}: say in benchmarks/units.py how it is billed")


class Pipeline:
    """The functions' code on moto, as far as it asks anything of AWS."""

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
        nobody: Any = None
        quarantine = Quarantine(self.s3, self.ledger, Alerts(nobody, ""))
        self.executions = Executions(states, arn)
        self.intake = Intake(
            s3=self.s3,
            executions=self.executions,
            job_runs=JobRuns(nobody, ()),
            ledger=self.ledger,
            quarantine=quarantine,
            landing_bucket=LANDING,
            lake_bucket=LAKE,
            timeout_seconds=300,
            lease_seconds=300,
            max_file_bytes=1024**3,
        )
        self.settlement = Settlement(self.s3, clients.client("events"), self.ledger, quarantine)

    def run(self, files: int) -> dict[str, Counter[str]]:
        """Take so many files through; what each function asked of AWS."""
        steps: dict[str, Counter[str]] = {}
        bodies = [self._arrival(f"incoming/{files}/{number}.csv") for number in range(files)]

        def did(step: str, act: Callable[[], object]) -> None:
            with counted() as steps[step]:
                act()

        did("validate", lambda: self._validate(bodies))
        [entry, *_] = self.ledger.with_status(Status.VALID)
        folder, arn = RunFolder(LAKE, entry.batch_id), self.executions.arn(entry.batch_id, 1)
        manifest = folder.manifest_uri
        did("claim", lambda: claim_sources(self.s3, self.ledger, manifest, arn, _always))
        name = f"{folder.batch_id}-1"
        outcomes = {each: SourceOutcome(1, 1, {}, [DAY]) for each in read_claimed(self.s3, folder, name).source_ids}
        summary = Summary(folder.batch_id, name, 1, "lake", [DAY], f"metrics/{RUN_ID}", outcomes)
        write_result(self.s3, folder, RUN_ID, summary)
        runs = [{"ExecutionTime": 60, "MaxCapacity": 2.0}, {"ExecutionTime": 20, "MaxCapacity": 0.0625}]
        did("settle", lambda: self.settlement.settle(manifest, arn, RUN_ID, _always, runs))
        did("archive", lambda: archive_sources(self.s3, self.ledger, manifest, arn, _always))
        return steps

    def load(self, days: int) -> Counter[str]:
        """Publish so many days without items: what the fence alone asks for."""
        stamp = Provenance(days, "lake", "batch", "2026-11-22T00:00:00.000Z")
        fence = Fence(self.dynamodb, FILES, METRICS, stamp)
        with counted() as calls:
            fence.publish([Day(str(date(2024, 1, 1) + timedelta(days=number))) for number in range(days)])
        return calls

    def _validate(self, bodies: list[str]) -> None:
        batch = self.intake.open_batch(lambda: 300.0)
        for body in bodies:
            batch.process(body)
        batch.launch()

    def _arrival(self, key: str) -> str:
        version = self.s3.put_object(Bucket=LANDING, Key=key, Body=CONTENT)["VersionId"]
        put = {"bucket": {"name": LANDING}, "object": {"key": key, "size": len(CONTENT), "version-id": version}}
        told = {"source": "aws.s3", "detail-type": "Object Created", "time": "2024-06-26T08:00:00Z", "detail": put}
        return json.dumps(told)


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
    """By function what a run asks of AWS, and (``<function>_file``) what each file adds; ``calls`` is of all kinds."""
    few, many = 1, 5
    with mock_aws():
        pipeline = Pipeline()
        of_few, of_many = pipeline.run(few), pipeline.run(many)
        fence_few, fence_many = pipeline.load(few), pipeline.load(many)
    found: dict[str, dict[str, int]] = {}
    for step, calls in (of_few | {"load": fence_few}).items():
        more = (of_many | {"load": fence_many})[step]
        each = {unit: (more[unit] - calls[unit]) // (many - few) for unit in _in_order(more)}
        found[step] = {unit: count for unit in _in_order(calls) if (count := calls[unit] - few * each[unit])}
        found[f"{step}_{'day' if step == 'load' else 'file'}"] = {unit: count for unit, count in each.items() if count}
    return found


def _in_order(units: Iterable[str]) -> list[str]:
    return sorted(units, key=lambda unit: (unit == "calls", unit))


ROWS = 200_000
SMALL_ROWS = 1_000
TRIES = 2


def _note_cpu_seconds(used: dict[int, float]) -> None:
    """What each process of the cloud's Spark runs has used of the CPU; unlike the clock it minds no neighbours."""
    state = str(state_folder().resolve())
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if state in command and "transform_streams.py" in command:
            with suppress(psutil.NoSuchProcess):
                for each in (process, *process.children(recursive=True)):
                    times = each.cpu_times()
                    used[each.pid] = times.user + times.system


def _took(stack: Stack, name: str, content: bytes) -> tuple[float, float, float]:
    """What a file's run took: CPU seconds of the transform, seconds of the transform, seconds of the load."""
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


def measure_seconds() -> dict[str, float]:
    """What job runs take on the running local cloud, and how large a day's items and fence are."""
    stack = find_stack()
    upload_reference(stack)
    big_day, seeds = date(2024, 6, 25), iter(range(1, 1_000))

    def small(day: date) -> bytes:
        return sample_data.streams(next(seeds), CATALOGUE, day, SMALL_ROWS)

    _took(stack, "warm-up", small(date(2024, 1, 1)))
    alone = [_took(stack, f"alone-{n}", small(date(2024, 2, 1 + n))) for n in range(TRIES)]
    big = sample_data.streams(next(seeds), CATALOGUE, big_day, ROWS)
    read, _, _ = _took(stack, "big", big)
    beside = [_took(stack, f"beside-{n}", small(big_day)) for n in range(TRIES)]
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
    """Write units of an item: its size in KB, begun ones too."""
    return math.ceil(_size(value) / 1024)


def _size(value: object) -> int:
    """Bytes, as https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html says."""
    if isinstance(value, dict):
        return 3 + sum(len(name.encode()) + 1 + _size(each) for name, each in value.items())
    if isinstance(value, list | set):
        return 3 + sum(1 + _size(each) for each in value)
    if isinstance(value, str):
        return len(value.encode())
    return len(str(value)) // 2 + 2  # a number


def count_template() -> dict[str, int]:
    """What the template and the state machine say: transitions of a run that goes straight through, alarms, keys."""
    states = yaml.safe_load((ROOT / "statemachine" / "process_streams.asl.yaml").read_text("utf-8"))
    transitions, name = 1, states["StartAt"]  # the start is one too
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
    """The file: sections of numbers."""
    lines = [
        "# Written by benchmarks/units.py: calls and template are exact, seconds are of the machine that measured them."
    ]
    for section, values in content.items():
        lines += ["", f"[{section}]"]
        for name, value in values.items():
            pairs = ", ".join(f"{unit} = {count}" for unit, count in value.items()) if isinstance(value, dict) else ""
            lines.append(f"{name} = {{ {pairs} }}" if isinstance(value, dict) else f"{name} = {value}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure one part, keep the other, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["calls", "seconds"])
    part = parser.parse_args().part
    known = tomllib.loads(measured.FILE.read_text("utf-8")) if measured.FILE.exists() else {}
    if part == "calls":
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        known |= {"calls": count_calls(), "template": count_template()}
    else:
        known["seconds"] = measure_seconds()
    measured.FILE.write_text(as_toml(known), "utf-8")
    print(f"written: {measured.FILE}")


if __name__ == "__main__":
    main()
