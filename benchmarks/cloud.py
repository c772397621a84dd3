"""A local cloud for a benchmark, and the pipeline's jobs as separate processes."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Usage, measure
from local.credentials import Credentials
from local.spark import environment_of_run, installed_spark, parse_conf, settings_of_run
from music_streams import clock
from music_streams.stack import Stack, find_stack
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, write_claimed, write_manifest
from music_streams.state.sizing import Bounds, workers_for
from music_streams_cli import local_cloud, sample_data

DAY = date(2024, 6, 25)
CATALOGUE = sample_data.Catalogue.generate(1, songs=2_000, users=5_000)
_REGION = "us-east-1"
_KEPT = ROOT / ".build" / "benchmarks"  # files that are slow to generate


@contextlib.contextmanager
def running_cloud() -> Iterator[Stack]:
    """Start a cloud with only the reference data, and stop it at the end."""
    os.environ.setdefault("LOCAL_CLOUD_WARM_UP", str(local_cloud.WARM_UP))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        environment = {**os.environ, "LOCAL_CLOUD_STATE": folder}

        def run(command: str) -> None:
            subprocess.run([ROOT / "music-streams", command], env=environment, check=True, capture_output=True)

        try:
            run("up")
            stack = find_stack(environment={"LOCAL_CLOUD_STATE": folder})
            upload_reference(stack)
            yield stack
        finally:
            run("down")


def upload_reference(stack: Stack) -> None:
    """Put the catalogue in the landing bucket as reference data."""
    for kind, content in (("songs", CATALOGUE.songs), ("users", CATALOGUE.users)):
        stack.s3.put_object(Bucket=stack.landing_bucket, Key=f"reference/{kind}/all.csv", Body=content)


def credentials_of(stack: Stack) -> Credentials:
    """Return the credentials with which other processes call the cloud."""
    found: Any = stack.session.get_credentials()
    return Credentials(found.access_key, found.secret_key)


def streams(rows: int) -> bytes:
    """Return a streams file with so many rows of :data:`DAY`, cached between benchmarks."""
    file = _KEPT / f"streams-{rows}.csv"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part")
        unfinished.write_bytes(sample_data.streams(1, CATALOGUE, DAY, rows))
        unfinished.rename(file)
    return file.read_bytes()


@dataclass(frozen=True)
class Batch:
    """A staged and claimed batch, ready for the transform."""

    folder: RunFolder
    execution: str
    workers: int


def stage(stack: Stack, number: int, content: bytes) -> Batch:
    """Stage and claim one streams file as validate and claim do."""
    batch_id = f"{number:032x}"
    folder, execution = RunFolder(stack.lake_bucket, batch_id), f"{batch_id}-1"
    header = list(sample_data.STREAM_COLUMNS)
    source = ManifestSource(batch_id, "streams", f"{batch_id}.csv", header, clock.now(), len(content))
    stack.s3.put_object(Bucket=folder.bucket, Key=folder.key(f"input/{source.input}"), Body=content)
    manifest = Manifest(batch_id, [source])
    write_manifest(stack.s3, folder, manifest)
    write_claimed(stack.s3, folder, execution, manifest)
    return Batch(folder, execution, workers_for(manifest, Bounds()))


def run_transform(stack: Stack, batch: Batch, run_id: str, **changed: str) -> Usage:
    """Run transform-streams for a batch with the job's own arguments, except the `changed` ones.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    job = stack.client("glue").get_job(JobName=stack.outputs["TransformJobName"])["Job"]
    given = {**job["DefaultArguments"], **{f"--{name}": value for name, value in changed.items()}}
    names = ("landing_bucket", "files_table", "max_rejected_ratio", "max_days_per_file", "publish_track_metrics")
    arguments = {
        "--manifest": batch.folder.manifest_uri,
        "--execution": batch.execution,
        "--JOB_RUN_ID": run_id,
        **{f"--{name}": given[f"--{name}"] for name in names},
    }
    return run_spark(stack, ROOT / "glue" / "transform_streams.py", arguments, batch.workers)


def run_spark(stack: Stack, script: Path, arguments: dict[str, str], workers: int = 2) -> Usage:
    """Run a script as the local cloud runs a Glue Spark job with so many workers."""
    job = stack.client("glue").get_job(JobName=stack.outputs["TransformJobName"])["Job"]
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        scratch, spark = Path(folder), installed_spark()
        place = (str(stack.endpoint), _REGION, credentials_of(stack), scratch)
        conf = parse_conf(job["DefaultArguments"]["--conf"])
        settings = settings_of_run(spark, conf, *place, workers=workers)
        environment = environment_of_run(spark, settings, *place)
        return _run(script, arguments, environment, scratch)


def run_load(stack: Stack, batch: Batch, transform_run_id: str) -> Usage:
    """Run load-metrics for the result of a transform."""
    arguments = {
        "--manifest": batch.folder.manifest_uri,
        "--execution": batch.execution,
        "--transform_run_id": transform_run_id,
        "--files_table": stack.outputs["FilesTableName"],
        "--metrics_table": stack.outputs["MetricsTableName"],
    }
    place = {"AWS_ENDPOINT_URL": str(stack.endpoint), "AWS_DEFAULT_REGION": _REGION}
    environment = {**credentials_of(stack).environment, **place}
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        return _run(ROOT / "glue" / "load_metrics.py", arguments, environment, Path(folder))


def _run(script: Path, arguments: dict[str, str], environment: dict[str, str], folder: Path) -> Usage:
    places = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), *(part for pair in arguments.items() for part in pair)]
    return measure(command, {**environment, **places, "TZ": "UTC"}, folder)
