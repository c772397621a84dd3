"""Many files at the same time: a hundred, of which Spark fails to read one, and a burst."""

import gzip
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest

from music_streams.state.requests import Action
from music_streams.state.run_files import RunFolder, read_manifest
from music_streams.state.statuses import Status
from music_streams_cli import sample_data
from tests.e2e.faults.victims import TRANSFORM, Victims, suspended
from tests.e2e.faults.world import CATALOGUE, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BURST = 300  # files; benchmarks/burst.py measures a thousand


def test_unreadable_file_among_a_hundred_is_quarantined_alone(world, victims):
    day = world.new_day()
    contents = [gzip.compress(sample_data.streams(n, CATALOGUE, day, 20, dirty=0.05)) for n in range(100)]
    with ThreadPoolExecutor(8) as pool:
        puts = list(pool.map(lambda n: world.put(f"hundred/{n}.csv.gz", contents[n]), range(100)))
    broken = puts[57]
    world.wait_for_status(broken, Status.RUNNING)
    execution = world.execution_of(broken)
    folder = RunFolder(world.stack.lake_bucket, execution.rpartition("-")[0])
    with suspended(victims.run(TRANSFORM, execution)):
        assert len(read_manifest(world.stack.s3, folder).sources) > 50
        staged = folder.key(f"input/{broken.source_id}.csv.gz")
        world.stack.s3.head_object(Bucket=folder.bucket, Key=staged)
        world.stack.s3.put_object(Bucket=folder.bucket, Key=staged, Body=contents[57][:-20])
    world.wait_until_ended(*puts)
    entry, original = world.entry(broken), world.streams.pop(broken.source_id)
    assert (entry.status, entry.reason, entry.rows_read) == (Status.QUARANTINED, "not_csv", 0)
    world.check()
    world.check_archived(*(put for put in puts if put is not broken))

    world.ask(broken, Action.RELEASE)
    world.wait_for_status(broken, Status.ARCHIVED, attempt=2)
    world.streams[broken.source_id] = original
    world.check()
    world.check_archived(broken)


def test_burst_of_files_is_processed_in_few_runs(world, victims):
    days = [world.new_day() for _ in range(2)]
    contents = [sample_data.streams(n, CATALOGUE, days[n % 2], 30) for n in range(BURST)]
    executions, runs = len(world.executions("SUCCEEDED")), job_runs(world)
    failed = len(world.executions("FAILED"))
    began = time.monotonic()
    with peak_memory(victims) as peak:
        with ThreadPoolExecutor(16) as pool:
            puts = list(pool.map(lambda n: world.put(f"burst/{n}.csv", contents[n]), range(BURST)))
        entries = world.wait_until_ended(*puts)
    seconds = time.monotonic() - began
    assert {entry.status for entry in entries} == {Status.ARCHIVED}
    assert {entry.attempt for entry in entries} == {1}
    began_now = len(world.executions("SUCCEEDED")) - executions
    print(
        f"{BURST} files in {seconds:.0f} s: {began_now} executions, {job_runs(world) - runs} job runs, "
        f"{max(peak) / 2**20:,.0f} MiB at most"
    )
    assert began_now <= 10
    assert len(world.executions("FAILED")) == failed
    world.check()


def job_runs(world: World) -> int:
    """Return the number of runs of both jobs so far."""
    pages = world.stack.client("glue").get_paginator("get_job_runs")
    jobs = [world.stack.outputs[name] for name in ("TransformJobName", "LoadJobName")]
    return sum(len(page["JobRuns"]) for job in jobs for page in pages.paginate(JobName=job))


@contextmanager
def peak_memory(victims: Victims) -> Iterator[list[int]]:
    """Sample the resident bytes of all the cloud's processes except the server."""
    samples, is_over = [0], threading.Event()

    def sample() -> None:
        while not is_over.wait(0.5):
            samples.append(sum(map(resident_bytes, victims.all())))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield samples
    finally:
        is_over.set()
        sampler.join()


def resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has ended
        return 0
