"""The Lambda Runtime API for one worker process: it asks here for its next invocation and posts the outcome here.

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

from local.gate import why_refused
from local.loose_types import Json
from local.peers import is_own

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes. A response that is larger than Lambda allows is read, up to this size, to be refused by its own error."""

_CHUNKED = "chunked"
_CHECKED_HEADERS = ("Host", "Origin", "Sec-Fetch-Site")
_NEXT = "/2018-06-01/runtime/invocation/next"
_OUTCOME = re.compile(r"/2018-06-01/runtime/(?:invocation/(?P<request_id>[^/]+)|init)/(?P<kind>response|error)")
_UNKNOWN_PATH = "This path is not of the Runtime API."
_LONGEST_LINE = 1024  # bytes, of the size of a chunk
_OF_ANOTHER_USER = "Another user of this machine sent this request: only the user who runs the cloud may call it."


@dataclass(frozen=True)
class Invocation:
    """What a worker gets to do. deadline: seconds since 1970."""

    request_id: str
    payload: bytes
    deadline: float
    function_arn: str


@dataclass(frozen=True)
class Outcome:
    """What a worker made of it; of a failure, payload is the error as JSON."""

    payload: bytes
    is_error: bool


class RuntimeApi:
    """Serves one worker on a port of its own, since the worker's client knows host and port only."""

    def __init__(self) -> None:
        self._invocations: queue.Queue[Invocation | None] = queue.Queue()
        self._outcomes: queue.Queue[Outcome] = queue.Queue()
        self._awaited: str | None = None  # the request id whose outcome is due
        self._is_starting = True
        self._lock = threading.Lock()
        self.is_ready = threading.Event()  # the worker has loaded its handler and asked for work
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def offer(self, invocation: Invocation) -> None:
        """The next invocation for the worker."""
        self._invocations.put(invocation)

    def outcome(self, patience: float) -> Outcome | None:
        """The worker's outcome, or None if there is none within `patience` seconds."""
        try:
            return self._outcomes.get(timeout=patience)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Ends a waiting worker's request and stops serving."""
        self._invocations.put(None)
        self._server.shutdown()
        self._server.server_close()

    def take(self, is_there: Callable[[], bool]) -> Invocation | None:
        """Waits for an invocation; None when closed, or when the client that asked has left: the next one gets it."""
        with self._lock:
            self._is_starting = False
        self.is_ready.set()
        invocation = self._invocations.get()
        if not is_there():
            self._invocations.put(invocation)
            return None
        with self._lock:
            self._awaited = None if invocation is None else invocation.request_id
        return invocation

    def post(self, request_id: str | None, outcome: Outcome) -> bool:
        """What the worker says about its invocation, or about its start where there is no request id.

        Returns whether it was due. Each is accepted once.
        """
        with self._lock:
            is_due = self._is_starting if request_id is None else request_id == self._awaited
            if is_due:
                self._is_starting, self._awaited = False, None
                self._outcomes.put(outcome)
        return is_due


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    api: RuntimeApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # with it every invocation waits 2 × 40 ms for delayed acknowledgements
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        """Look up whose connection it is, once."""
        super().setup()
        self._is_own = is_own(self.client_address, self.connection.getsockname())

    def parse_request(self) -> bool:
        """Refuse what a web page or another user may have sent, whatever the method.

        Workers have no key: their client sends none.
        """
        if not super().parse_request():
            return False
        given = {name: self.headers.get_all(name) for name in _CHECKED_HEADERS}
        headers = {name: None if values is None else ",".join(values) for name, values in given.items()}
        reason = why_refused(headers, int(self.server.server_address[1]))
        if reason is None and not self._is_own:
            reason = _OF_ANOTHER_USER
        if reason is None:
            return True
        self._refuse(403, reason)
        return False

    def do_GET(self) -> None:
        """Serves …/runtime/invocation/next."""
        if self.path != _NEXT:
            self._refuse(404, _UNKNOWN_PATH)
            return
        invocation = self.server.api.take(self._is_there)
        if invocation is None:
            self.close_connection = True
            return
        self._answer(
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

    def _is_there(self) -> bool:
        """Whether the client still waits: it has not closed its connection."""
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:  # it sends nothing while it waits
            return True
        except OSError:
            return False

    def do_POST(self) -> None:
        """Serves …/invocation/<id>/response, …/invocation/<id>/error and …/init/error."""
        path = _OUTCOME.fullmatch(self.path)
        if path is None:
            self._refuse(404, _UNKNOWN_PATH)
            return
        try:
            body = self._body()
        except ValueError:
            self._refuse(400, "The size of the body is not written as HTTP asks.")
            return
        if body is None:
            self._refuse(413, f"The body is larger than {LARGEST_BODY} bytes.")
        elif self.server.api.post(path["request_id"], Outcome(body, is_error=path["kind"] == "error")):
            self._answer(202, b"{}", {"Content-Type": "application/json"})
        else:
            self._refuse(400, "No outcome of this request is due.")

    def _body(self) -> bytes | None:
        """None where it is too large. Raises ValueError."""
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
        """Answer with the reason, and end the connection: what is left of the request is not read."""
        self.close_connection = True
        self._answer(status, reason.encode(), {"Content-Type": "text/plain"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Json) -> None:
        """Nothing: the one log tells of invocations."""


def _size(digits: str, base: int) -> int:
    """Raises ValueError, for a negative number too."""
    size = int(digits, base)
    if size < 0:
        raise ValueError(digits)
    return size
