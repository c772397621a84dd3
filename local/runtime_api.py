"""The Lambda Runtime API for one worker process: it asks here for its next invocation and posts the outcome here.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import queue
import socketserver
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from local.gate import why_refused
from local.loose_types import Json

_CHUNKED = "chunked"
_CHECKED_HEADERS = ("Host", "Origin", "Sec-Fetch-Site")


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

    def take(self) -> Invocation | None:
        """Waits for an invocation; None when closed."""
        self.is_ready.set()
        return self._invocations.get()

    def post(self, outcome: Outcome) -> None:
        """What the worker says about its invocation or its start."""
        self._outcomes.put(outcome)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    api: RuntimeApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # with it every invocation waits 2 × 40 ms for delayed acknowledgements
    wbufsize = -1
    server: _Server

    def parse_request(self) -> bool:
        """Refuse what a web page may have sent, whatever the method. Workers have no key: their client sends none."""
        if not super().parse_request():
            return False
        given = {name: self.headers.get_all(name) for name in _CHECKED_HEADERS}
        headers = {name: None if values is None else ",".join(values) for name, values in given.items()}
        reason = why_refused(headers, int(self.server.server_address[1]))
        if reason is None:
            return True
        self.close_connection = True
        self._answer(403, reason.encode(), {"Content-Type": "text/plain"})
        return False

    def do_GET(self) -> None:
        """Serves …/runtime/invocation/next."""
        invocation = self.server.api.take()
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

    def do_POST(self) -> None:
        """Serves …/invocation/<id>/response, …/invocation/<id>/error and …/init/error."""
        body = self._body()
        self.server.api.post(Outcome(body, is_error=not self.path.endswith("/response")))
        self._answer(202, b"{}", {"Content-Type": "application/json"})

    def _body(self) -> bytes:
        if _CHUNKED not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

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
