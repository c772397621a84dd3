"""The Lambda Runtime API of one worker process, which requests its next invocation here and posts the outcome.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import queue
import re
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from local.gate import refusal_reason
from local.loose_types import Json
from local.peers import is_own

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes. A response that is too large for Lambda is read up to this size, so that it gets Lambda's error."""

_CHUNKED = "chunked"
_CHECKED_HEADERS = ("Host", "Origin", "Sec-Fetch-Site")
_NEXT = "/2018-06-01/runtime/invocation/next"
_OUTCOME = re.compile(r"/2018-06-01/runtime/(?:invocation/(?P<request_id>[^/]+)|init)/(?P<kind>response|error)")
_UNKNOWN_PATH = "The Runtime API has no such path."
_LONGEST_LINE = 1024  # bytes, of the line with a chunk's size
_OF_ANOTHER_USER = "Another user of this machine sent this request: only the user who runs the cloud may call it."


@dataclass(frozen=True)
class Invocation:
    """An invocation for a worker. deadline: seconds since 1970."""

    request_id: str
    payload: bytes
    deadline: float
    function_arn: str


@dataclass(frozen=True)
class Outcome:
    """The outcome of an invocation; payload is the response, or the error as JSON."""

    payload: bytes
    is_error: bool


class RuntimeApi:
    """Serves one worker on a separate port, since the worker's client accepts only host and port."""

    def __init__(self) -> None:
        self._invocations: queue.Queue[Invocation | None] = queue.Queue()
        self._outcomes: queue.Queue[Outcome] = queue.Queue()
        self._awaited: str | None = None  # the request id whose outcome is expected
        self._is_starting = True
        self._lock = threading.Lock()
        self.is_ready = threading.Event()  # the worker has loaded its handler and requests an invocation
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def offer(self, invocation: Invocation) -> None:
        """Set the worker's next invocation."""
        self._invocations.put(invocation)

    def outcome(self, patience: float) -> Outcome | None:
        """Return the worker's outcome, or None if there is none within `patience` seconds."""
        try:
            return self._outcomes.get(timeout=patience)
        except queue.Empty:
            return None

    def close(self) -> None:
        """End a waiting worker's request and stop serving."""
        self._invocations.put(None)
        self._server.shutdown()
        self._server.server_close()

    def next_invocation(self, is_connected: Callable[[], bool]) -> Invocation | None:
        """Wait for an invocation; None if closed, or if the client has disconnected: then the next one gets it."""
        with self._lock:
            self._is_starting = False
        self.is_ready.set()
        invocation = self._invocations.get()
        if not is_connected():
            self._invocations.put(invocation)
            return None
        with self._lock:
            self._awaited = None if invocation is None else invocation.request_id
        return invocation

    def post(self, request_id: str | None, outcome: Outcome) -> bool:
        """Accept the outcome of an invocation, or of the worker's start if there is no request id.

        Returns whether it was expected. Each is accepted once.
        """
        with self._lock:
            is_expected = self._is_starting if request_id is None else request_id == self._awaited
            if is_expected:
                self._is_starting, self._awaited = False, None
                self._outcomes.put(outcome)
        return is_expected


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    api: RuntimeApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # it would delay every invocation by 2 × 40 ms
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        """Look up once which user opened the connection."""
        super().setup()
        self._is_own = is_own(self.client_address, self.connection.getsockname())

    def parse_request(self) -> bool:
        """Refuse requests that a web page or another user may have sent, whatever the method.

        There is no key to check: the client of workers sends none.
        """
        if not super().parse_request():
            return False
        values_by_name = {name: self.headers.get_all(name) for name in _CHECKED_HEADERS}
        headers = {name: None if values is None else ",".join(values) for name, values in values_by_name.items()}
        reason = refusal_reason(headers, int(self.server.server_address[1]))
        if reason is None and not self._is_own:
            reason = _OF_ANOTHER_USER
        if reason is None:
            return True
        self._refuse(403, reason)
        return False

    def do_GET(self) -> None:
        """Serve …/runtime/invocation/next."""
        if self.path != _NEXT:
            self._refuse(404, _UNKNOWN_PATH)
            return
        invocation = self.server.api.next_invocation(self._is_connected)
        if invocation is None:
            self.close_connection = True
            return
        self._respond(
            200,
            invocation.payload,
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            },
        )

    def _is_connected(self) -> bool:
        """Return whether the client still waits, that is, has not closed its connection."""
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:  # the client waits and sends nothing
            return True
        except OSError:
            return False

    def do_POST(self) -> None:
        """Serve …/invocation/<id>/response, …/invocation/<id>/error and …/init/error."""
        path = _OUTCOME.fullmatch(self.path)
        if path is None:
            self._refuse(404, _UNKNOWN_PATH)
            return
        try:
            body = self._body()
        except ValueError:
            self._refuse(400, "The size of the body is malformed.")
            return
        if body is None:
            self._refuse(413, f"The body is larger than {LARGEST_BODY} bytes.")
        elif self.server.api.post(path["request_id"], Outcome(body, is_error=path["kind"] == "error")):
            self._respond(202, b"{}", {"Content-Type": "application/json"})
        else:
            self._refuse(400, "No outcome of this request is expected.")

    def _body(self) -> bytes | None:
        """Return the body, None if it is too large. Raises ValueError if its size is malformed."""
        if _CHUNKED not in self.headers.get("Transfer-Encoding", ""):
            size = _size(self.headers.get("Content-Length") or "0", 10)
            return self.rfile.read(size) if size <= LARGEST_BODY else None
        parts, total = [], 0
        while size := _size(self.rfile.readline(_LONGEST_LINE).partition(b";")[0].decode("ascii").strip(), 16):
            total += size
            if total > LARGEST_BODY:
                return None
            parts.append(self.rfile.read(size))
            self.rfile.readline(_LONGEST_LINE)
        self.rfile.readline(_LONGEST_LINE)
        return b"".join(parts)

    def _refuse(self, status: int, reason: str) -> None:
        """Respond with the reason and close the connection, since the rest of the request is not read."""
        self.close_connection = True
        self._respond(status, reason.encode(), {"Content-Type": "text/plain"})

    def _respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Json) -> None:
        """Log nothing: the cloud's log records invocations."""


def _size(digits: str, base: int) -> int:
    """Return the number. Raises ValueError, also for a negative number."""
    size = int(digits, base)
    if size < 0:
        raise ValueError(digits)
    return size
