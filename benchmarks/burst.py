"""A burst of a thousand small files on the running local cloud, compared with a single file."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from benchmarks.cloud import CATALOGUE, DAY, running_cloud
from benchmarks.figures import Figure, ratio
from benchmarks.measure import resident_bytes, watching
from music_streams.stack import Stack
from music_streams_cli import journey, output, sample_data
from music_streams_cli.journey import Journey

PART = "burst"
_FILES = 1_000
_ROWS = 30
_TIMEOUT_SECONDS = 1_800


@dataclass(frozen=True)
class Wave:
    """The resources used for files put together, from the first PUT until the last is archived."""

    seconds: float
    executions: int
    glue_runs: int
    peak_mb: float


def figures() -> list[Figure]:
    """Put one file, then all others together."""
    contents = [sample_data.streams(seed, CATALOGUE, DAY, _ROWS) for seed in range(_FILES + 1)]
    with running_cloud() as stack:
        one = wave(stack, "one", contents[:1])
        many = wave(stack, "many", contents[1:])
    case = f"{_FILES:,} files of {_ROWS} rows"
    took = Figure(PART, case, "s", [many.seconds], "≤ 180")
    alone = Figure(PART, "1 file", "s", [one.seconds])
    return [
        alone,
        took,
        ratio(PART, f"{case}, relative to 1 file", took, alone),
        Figure(PART, case, "executions", [many.executions], "≤ 20"),
        Figure(PART, case, "Glue runs", [many.glue_runs]),
        Figure(PART, f"{case}, all processes", "peak MB", [many.peak_mb]),
    ]


def wave(stack: Stack, name: str, contents: list[bytes]) -> Wave:
    """Put the files together and wait until they are archived."""
    executions, runs = _count_executions(stack), _count_glue_runs(stack)
    peaks = [0.0]
    began = time.monotonic()
    with watching(lambda: peaks.append(_memory_mb()), 0.5), ThreadPoolExecutor(16) as pool:
        keys = [f"incoming/{name}/{number}.csv" for number in range(len(contents))]
        puts: list[Journey] = list(pool.map(lambda key, content: journey.put(stack, key, content), keys, contents))
        journey.follow(stack.ledger, puts, output.stderr(quiet=True), _TIMEOUT_SECONDS)
    seconds = time.monotonic() - began
    return Wave(seconds, _count_executions(stack) - executions, _count_glue_runs(stack) - runs, max(peaks))


def _count_executions(stack: Stack) -> int:
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    return sum(len(page["executions"]) for page in pages.paginate(stateMachineArn=stack.outputs["StateMachineArn"]))


def _count_glue_runs(stack: Stack) -> int:
    jobs = [stack.outputs["TransformJobName"], stack.outputs["LoadJobName"]]
    pages = stack.client("glue").get_paginator("get_job_runs")
    return sum(len(page["JobRuns"]) for job in jobs for page in pages.paginate(JobName=job))


def _memory_mb() -> float:
    """Return the resident memory of all processes of the local cloud, in 10^6 bytes."""
    processes = psutil.process_iter(["cmdline"])
    servers = [process for process in processes if "local.server" in (process.info["cmdline"] or [])]
    families = ([server, *server.children(recursive=True)] for server in servers)
    return sum(map(resident_bytes, families)) / 1e6
