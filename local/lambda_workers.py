"""Functions as processes of `python -m awslambdaric`, which are kept warm and run one invocation at a time.

As on AWS, concurrent invocations need several workers, a changed function gets new ones, and a worker that exceeds its
timeout or memory is killed and its invocation fails.
"""

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from local import processes
from local.aws import Aws
from local.host import Host
from local.runtime_api import Invocation, Outcome, RuntimeApi

# Workers of a function. More do not make a machine faster; other invocations wait for one of them.
MAX_WORKERS = max(4, 2 * (os.cpu_count() or 1))
IDLE_LIFE = 300.0  # seconds
INIT_LIFE = 60.0  # seconds to import the handler; AWS gives 10 on faster machines
LARGEST_RESPONSE = 6_291_556  # bytes

_TICK = 0.05  # seconds between two checks of a working process
_ADDRESS_HEADROOM = 2048  # MiB of address space above the memory size, since libraries map more than they use
_MIB = 1024 * 1024


class Throttled(Exception):
    """The function's reserved concurrency is used up."""


@dataclass(frozen=True)
class Function:
    """A function's configuration at the time of an invocation."""

    name: str
    arn: str
    handler: str
    runtime: str
    region: str
    timeout: float
    memory: int  # MiB
    environment: tuple[tuple[str, str], ...]
    reserved_concurrency: int | None
    code_hash: str
    code: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Equal for functions that can share workers."""
        return json.dumps([self.name, self.code_hash, self.handler, self.memory, self.timeout, self.environment])

    @property
    def log_group(self) -> str:
        """The log group of its output in CloudWatch Logs."""
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True)
class Result:
    """The result of an invocation."""

    request_id: str
    payload: bytes
    is_error: bool
    log: str
    log_stream: str


class Workers:
    """The worker processes of all functions."""

    def __init__(self, folder: Path, runtime: Path, host: Host) -> None:
        self._folder = folder
        self._runtime = runtime
        self._host = host
        self._idle: dict[str, list[_Worker]] = {}  # by fingerprint
        self._current: dict[str, str] = {}  # fingerprint by function name
        self._all: set[_Worker] = set()
        self._busy: dict[str, int] = {}  # by function name
        self._changed = threading.Condition()
        self._unpacking = threading.Lock()
        self._closed = False

    def invoke(self, function: Function, payload: bytes) -> Result:
        """Run one invocation to its end. Raises Throttled."""
        self._enter(function)
        try:
            worker = self._worker(function)
            try:
                return worker.invoke(function, payload)
            finally:
                self._give_back(function, worker)
        finally:
            self._leave(function)

    def reap(self) -> None:
        """End workers that have been idle for long."""
        now = time.monotonic()
        with self._changed:
            for workers in self._idle.values():
                for worker in [worker for worker in workers if now - worker.idle_since > IDLE_LIFE]:
                    workers.remove(worker)
                    self._all.discard(worker)
                    worker.end()

    def close(self) -> None:
        """End all workers, including busy ones."""
        with self._changed:
            self._closed = True
            workers, self._all = self._all, set()
        for worker in workers:
            worker.end()

    def _enter(self, function: Function) -> None:
        with self._changed:
            reserved = function.reserved_concurrency
            if reserved is not None and self._busy.get(function.name, 0) >= reserved:
                raise Throttled(function.name)
            self._changed.wait_for(lambda: self._busy.get(function.name, 0) < MAX_WORKERS)
            self._busy[function.name] = self._busy.get(function.name, 0) + 1

    def _leave(self, function: Function) -> None:
        with self._changed:
            self._busy[function.name] -= 1
            self._changed.notify_all()

    def _worker(self, function: Function) -> "_Worker":
        fingerprint = function.fingerprint
        with self._changed:
            former = self._current.get(function.name)
            if former is not None and former != fingerprint:
                for worker in self._idle.pop(former, []):
                    self._all.discard(worker)
                    worker.end()
            self._current[function.name] = fingerprint
            idle = self._idle.setdefault(fingerprint, [])
            while idle:
                worker = idle.pop()
                if worker.is_alive:
                    return worker
                self._all.discard(worker)
                worker.end()
        folder = self._unpacked(function)
        worker = _Worker(function, folder, self._runtime, self._host)
        with self._changed:
            if not self._closed:
                self._all.add(worker)
                return worker
        worker.end()
        raise Throttled("the cloud is stopping")

    def _give_back(self, function: Function, worker: "_Worker") -> None:
        with self._changed:
            is_current = self._current.get(function.name) == function.fingerprint
            if worker.is_alive and is_current and not self._closed:
                worker.idle_since = time.monotonic()
                self._idle.setdefault(function.fingerprint, []).append(worker)
                return
            self._all.discard(worker)
        worker.end()

    def _unpacked(self, function: Function) -> Path:
        folder = self._folder / hashlib.sha256(function.code_hash.encode()).hexdigest()[:24]
        with self._unpacking:
            if not folder.is_dir():
                unfinished = folder.with_suffix(".part")
                with zipfile.ZipFile(io.BytesIO(function.code)) as archive:
                    archive.extractall(unfinished)
                unfinished.rename(folder)
        return folder


class _Worker:
    """One process and the Runtime API that it calls."""

    def __init__(self, function: Function, code: Path, runtime: Path, host: Host) -> None:
        self._log = host.log
        self._part = f"lambda/{function.name}"
        self._stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"
        self._is_cold = True
        self._api = RuntimeApi()
        self._home = tempfile.TemporaryDirectory(prefix="lambda-", dir=host.scratch)
        self._pipe, output = os.pipe()
        os.set_blocking(self._pipe, False)
        self._unfinished_line = ""
        self.idle_since = time.monotonic()
        try:
            self._process = processes.start(
                [sys.executable, "-S", "-m", "awslambdaric", function.handler],
                env=self._environment(function, code, runtime, host.aws),
                marker=host.marker,
                cwd=code,
                output=output,
                address_space=(function.memory + _ADDRESS_HEADROOM) * _MIB,
            )
        finally:
            os.close(output)

    def _environment(self, function: Function, code: Path, runtime: Path, aws: Aws) -> dict[str, str]:
        return {
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
            **dict(function.environment),
            # The names below are reserved, as on AWS: a template cannot set them.
            **aws.credentials.environment_at(aws.endpoint, function.region),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "HOME": self._home.name,
            "LAMBDA_TASK_ROOT": str(code),
            "PYTHONPATH": f"{code}{os.pathsep}{runtime}",
            "TMPDIR": self._home.name,
            "_HANDLER": function.handler,
        }

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Kill the process and all its descendants."""
        processes.end_tree(self._process)
        # Closing takes up to half a second: do not wait for it.
        threading.Thread(target=self._api.close, daemon=True).start()
        with contextlib.suppress(OSError):
            os.close(self._pipe)
        self._home.cleanup()

    def invoke(self, function: Function, payload: bytes) -> Result:
        """Run one invocation; end it at its timeout or memory limit, or when the process ends."""
        request_id = str(uuid.uuid4())
        printed: list[str] = []
        began = time.monotonic()
        failure = self._initialise(function, printed) if self._is_cold else None
        initialised = time.monotonic()
        peak = 0
        if failure is None:
            deadline = time.time() + function.timeout
            self._api.offer(Invocation(request_id, payload, deadline, function.arn))
            while (outcome := self._api.outcome(_TICK)) is None and failure is None:
                printed += self._printed()
                peak = max(peak, processes.resident_bytes(self._process.pid))
                failure = self._failure(function, request_id, peak, deadline)
        else:
            outcome = failure
        printed += self._printed()
        outcome = outcome or failure or _error("Runtime.ExitError", "no outcome")
        if failure is not None:
            processes.end_tree(self._process)
        elif len(outcome.payload) > LARGEST_RESPONSE:
            size = f"Response payload size exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes)."
            outcome = _error("Function.ResponseSizeTooLarge", size)
        peak = max(peak, processes.resident_bytes(self._process.pid))
        duration = (time.monotonic() - initialised) * 1000
        report = f"Duration: {duration:.2f} ms\tMemory Size: {function.memory} MB\tMax Memory Used: {peak // _MIB} MB"
        if self._is_cold:
            report += f"\tInit Duration: {(initialised - began) * 1000:.2f} ms"
        self._is_cold = False
        state = "failed: " + outcome.payload.decode(errors="replace")[:300] if outcome.is_error else "done"
        self._log.write(self._part, f"{state} ({report.replace(chr(9), ', ')})")
        lines = [f"START RequestId: {request_id} Version: $LATEST", *printed, f"END RequestId: {request_id}"]
        log = "\n".join([*lines, f"REPORT RequestId: {request_id}\t{report}"])
        return Result(request_id, outcome.payload, outcome.is_error, log, self._stream)

    def _initialise(self, function: Function, printed: list[str]) -> Outcome | None:
        """Wait until the handler is loaded; return the failure if it is not."""
        limit = time.monotonic() + INIT_LIFE
        while not self._api.is_ready.wait(_TICK / 5):
            printed += self._printed()
            if (outcome := self._api.outcome(0.001)) is not None:
                return outcome
            if not self.is_alive:
                # It may have posted an outcome before it ended.
                code = self._process.returncode
                return self._api.outcome(_TICK) or _error("Runtime.ExitError", f"Runtime exited with code {code}")
            if processes.resident_bytes(self._process.pid) > function.memory * _MIB:
                return _error("Runtime.ExitError", "Runtime exited with error: signal: killed (out of memory)")
            if time.monotonic() > limit:
                return _error("Sandbox.Timedout", f"Init timed out after {INIT_LIFE:.2f} seconds")
        return None

    def _failure(self, function: Function, request_id: str, resident: int, deadline: float) -> Outcome | None:
        prefix = f"RequestId: {request_id} Error: "
        if not self.is_alive:
            posted = self._api.outcome(0.001)
            return posted or _error("Runtime.ExitError", f"{prefix}Runtime exited with code {self._process.returncode}")
        if resident > function.memory * _MIB:
            used = f"(memory used {resident // _MIB} MB of {function.memory} MB)"
            return _error("Runtime.ExitError", f"{prefix}Runtime exited with error: signal: killed {used}")
        if time.time() > deadline:
            return _error("Sandbox.Timedout", f"{prefix}Task timed out after {function.timeout:.2f} seconds")
        return None

    def _printed(self) -> list[str]:
        """Return the whole lines that the process has printed since the last call, and write them to the log."""
        chunks = []
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._pipe, 65_536):
                chunks.append(chunk)
        text = self._unfinished_line + b"".join(chunks).decode("utf-8", errors="replace")
        *lines, self._unfinished_line = text.split("\n")
        lines = [line for line in lines if line.strip()]
        if lines:
            self._log.write(self._part, "\n".join(lines))
        return lines


def _error(error_type: str, message: str) -> Outcome:
    payload = json.dumps({"errorType": error_type, "errorMessage": message}).encode()
    return Outcome(payload, is_error=True)
