"""Many files at the same moment, on a running cloud: what they cost, beside one file alone.

    make up FRESH=1
    .venv/bin/python -m benchmarks.burst --files 200

Prints seconds from the first PUT until the last file is archived, executions, Glue runs and the memory of the local
cloud's processes, and the ratio to a single file.
"""

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import psutil
from rich.console import Console

from music_streams import sample
from music_streams.stack import Stack, find_stack
from music_streams_cli import journey
from music_streams_cli.journey import Journey

DAY = date(2024, 6, 25)


@dataclass(frozen=True)
class Result:
    """What one wave of files took."""

    seconds: float
    executions: int
    glue_runs: int
    peak_mb: float


def wave(stack: Stack, name: str, contents: list[bytes]) -> Result:
    """Put the files together and follow them to their end."""
    executions, runs = count_executions(stack), count_glue_runs(stack)
    memory = Memory()
    began = time.monotonic()
    with memory, ThreadPoolExecutor(16) as pool:
        keys = [f"incoming/{name}/{number}.csv" for number in range(len(contents))]
        puts = pool.map(lambda key, content: journey.put(stack, key, content), keys, contents)
        journeys: list[Journey] = list(puts)
        journey.follow(stack.ledger, journeys, Console(quiet=True), 1800)
    seconds = time.monotonic() - began
    return Result(seconds, count_executions(stack) - executions, count_glue_runs(stack) - runs, memory.peak_mb)


def count_executions(stack: Stack) -> int:
    """Executions of the state machine so far."""
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    return sum(len(page["executions"]) for page in pages.paginate(stateMachineArn=stack.outputs["StateMachineArn"]))


def count_glue_runs(stack: Stack) -> int:
    """Runs of both jobs so far."""
    jobs = [stack.outputs["TransformJobName"], stack.outputs["LoadJobName"]]
    pages = stack.client("glue").get_paginator("get_job_runs")
    return sum(len(page["JobRuns"]) for job in jobs for page in pages.paginate(JobName=job))


class Memory:
    """The greatest resident memory of all processes of the local cloud while the block runs, in MB."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            total = 0
            for process in psutil.process_iter(["cmdline"]):
                command = process.info["cmdline"] or []
                if "local.server" in command:
                    family = [process, *process.children(recursive=True)]
                    total += sum(each.memory_info().rss for each in family if each.is_running())
            self.peak_mb = max(self.peak_mb, total / 1e6)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rows", type=int, default=11_346, help="rows of each file")
    arguments = parser.parse_args()
    stack = find_stack()
    catalogue = sample.Catalogue.generate(1, songs=2_000, users=5_000)
    for kind, content in (("songs", catalogue.songs), ("users", catalogue.users)):
        stack.s3.put_object(Bucket=stack.landing_bucket, Key=f"reference/{kind}/burst.csv", Body=content)
    contents = [sample.streams(seed, catalogue, DAY, arguments.rows) for seed in range(arguments.files + 1)]
    one = wave(stack, "one", contents[:1])
    many = wave(stack, "many", contents[1:])
    for label, result in (("1 file", one), (f"{arguments.files} files", many)):
        print(
            f"{label:>10}: {result.seconds:6.1f} s, {result.executions} execution(s), {result.glue_runs} Glue run(s), "
            f"{result.peak_mb:,.0f} MB"
        )
    print(f"     ratio: {many.seconds / one.seconds:.1f} × the time for {arguments.files} × the files")


if __name__ == "__main__":
    main()
