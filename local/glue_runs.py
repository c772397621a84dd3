"""Glue job runs as processes: how the process ends is the run's state."""

import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from moto.core.utils import utcnow

from local import processes
from local.aws import split_s3_uri
from local.host import Host
from local.loose_types import Moto
from local.spark import environment_of_run, installed_spark, parse_conf, settings_of_run

DEFAULT_TIMEOUT = 2880  # minutes
_GRACE = 5.0  # seconds for a stopped run to clean up
_REMEMBERED_LINES = 2000
_LONGEST_MESSAGE = 2000
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\-]")
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(:|$)")


class GlueRuns:
    """Starts and stops runs, with a thread for each."""

    def __init__(self, folder: Path, host: Host, ended: Callable[[Moto], None]) -> None:
        """ended: called with moto's run after it has ended."""
        self._ended = ended
        self._folder = folder
        self._host = host
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()

    def start(self, job: Moto, moto_run: Moto) -> None:
        """Start the run and return."""
        run = _Run(job, moto_run, self._folder, self._host)
        with self._lock:
            self._runs[moto_run.job_run_id] = run

        def follow() -> None:
            run.follow()
            with self._lock:
                self._runs.pop(moto_run.job_run_id, None)
            self._ended(moto_run)

        threading.Thread(target=follow, daemon=True, name=f"glue-{job.name}").start()

    def stop(self, moto_run: Moto) -> None:
        """Ask the run to end; a finished run does not change."""
        with self._lock:
            run = self._runs.get(moto_run.job_run_id)
        if run is not None:
            run.stop()

    def close(self) -> None:
        """Kill all runs."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.kill()


class _Run:
    def __init__(self, job: Moto, moto_run: Moto, folder: Path, host: Host) -> None:
        self._job = job
        self._run = moto_run
        self._host = host
        self._part = f"glue/{job.name}"
        self._is_spark = job.command.get("Name") == "glueetl"
        self._process: subprocess.Popen[bytes] | None = None
        self._stop_requested = threading.Event()
        self._starting = threading.Lock()
        self._lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)
        job_folder = folder / _UNSAFE.sub("_", job.name)
        job_folder.mkdir(parents=True, exist_ok=True)
        self._log_file = job_folder / f"{moto_run.job_run_id}.log"
        moto_run.glue_version = job.glue_version
        moto_run.log_group = "/aws-glue/jobs" if self._is_spark else "/aws-glue/python-jobs"

    def follow(self) -> None:
        """Run the process to its end and record the result."""
        scratch = Path(tempfile.mkdtemp(prefix="glue-", dir=self._host.scratch))
        try:
            state = self._execute(scratch)
            error = last_error(self._lines) if state == "FAILED" else None
            if state == "TIMEOUT":
                error = f"Job run exceeded its timeout of {self._minutes} minutes"
        except Exception as failure:  # noqa: BLE001  every error is this run's failure and is recorded in it
            state, error = "FAILED", f"{type(failure).__name__}: {failure}"
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self._run.error_message = error
        self._run.completed_on = self._run.modified_on = utcnow()
        self._run.status = state
        self._host.log.write(self._part, f"{self._run.job_run_id} {state}{f': {error}' if error else ''}")

    def stop(self) -> None:
        self._stop_requested.set()
        with self._starting:
            process = self._process
        if self._run.status in {"STARTING", "RUNNING"}:
            self._run.status = "STOPPING"
        if process is not None:
            threading.Thread(target=processes.end_tree, args=(process,), kwargs={"grace": _GRACE}, daemon=True).start()

    def kill(self) -> None:
        self._stop_requested.set()
        with self._starting:
            if self._process is not None:
                processes.end_tree(self._process)

    @property
    def _minutes(self) -> float:
        return float(self._run.timeout or DEFAULT_TIMEOUT)

    def _execute(self, scratch: Path) -> str:
        command, env = self._prepare(scratch)
        with self._starting:
            if self._stop_requested.is_set():
                return "STOPPED"
            self._process = process = processes.start(
                command, env=env, marker=self._host.marker, cwd=scratch, output=subprocess.PIPE
            )
            self._run.status = "RUNNING"
        self._host.log.write(self._part, f"{self._run.job_run_id} RUNNING")
        assert process.stdout is not None  # noqa: S101  output is a pipe
        reader = threading.Thread(target=self._keep_output, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            code = process.wait(self._minutes * 60)
        except subprocess.TimeoutExpired:
            return "TIMEOUT"
        finally:
            processes.end_tree(process)  # processes that outlive the script, such as a JVM
            reader.join(5)
            process.stdout.close()
        if self._stop_requested.is_set():
            return "STOPPED"
        if code != 0 and not self._lines:
            self._lines.append(f"Command failed with exit code {code}")
        return "SUCCEEDED" if code == 0 else "FAILED"

    def _prepare(self, scratch: Path) -> tuple[list[str], dict[str, str]]:
        arguments: dict[str, str] = {name: str(value) for name, value in (self._run.arguments or {}).items()}
        script = self._fetch(self._job.command["ScriptLocation"], scratch)
        extra = arguments.get("--extra-py-files", "").split(",")
        modules = [self._fetch(uri.strip(), scratch) for uri in extra if uri.strip()]
        aws = self._host.aws
        credentials = aws.credentials.for_job(self._job.name)
        env = {
            **credentials.environment_at(aws.endpoint, aws.region),
            "HOME": str(scratch),
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": ":".join(str(module) for module in modules),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(scratch),
            "TZ": "UTC",
        }
        if self._is_spark:
            spark = installed_spark()
            conf = parse_conf(arguments.get("--conf", ""))
            location = (aws.endpoint, aws.region, credentials, scratch)
            settings = settings_of_run(spark, conf, *location, workers=self._run.number_of_workers or 1)
            env |= environment_of_run(spark, settings, *location)
        identity = {"--JOB_NAME": self._job.name, "--JOB_RUN_ID": self._run.job_run_id}
        return [sys.executable, str(script), *chain.from_iterable({**arguments, **identity}.items())], env

    def _fetch(self, uri: str, scratch: Path) -> Path:
        bucket, key = split_s3_uri(uri)
        target = scratch / _UNSAFE.sub("_", PurePosixPath(key).name)
        self._host.aws.client("s3").download_file(bucket, key, str(target))
        return target

    def _keep_output(self, output: BinaryIO) -> None:
        with self._log_file.open("wb", buffering=0) as log:
            for raw in output:
                log.write(raw)
                line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
                self._lines.append(line)
                self._host.log.write(self._part, line)


def last_error(lines: Iterable[str]) -> str:
    """Return the line of a log that says why the script failed: that of the last exception, else the last line."""
    all_lines = list(lines)
    for index in range(len(all_lines) - 1, -1, -1):
        if all_lines[index].strip() == _TRACEBACK:
            for line in all_lines[index + 1 :]:
                if _EXCEPTION.match(line):
                    return line.strip()[:_LONGEST_MESSAGE]
    meaningful = [line.strip() for line in all_lines if line.strip()]
    return meaningful[-1][:_LONGEST_MESSAGE] if meaningful else "no output"
