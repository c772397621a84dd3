"""Only the worker can get its invocations, and one outcome of each is accepted."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from local import runtime_api
from local.runtime_api import LARGEST_BODY, Invocation, Outcome, RuntimeApi
from tests import answers
from tests.integration.local.another_user import send_as_another_user

pytestmark = pytest.mark.slow

PREFIX = "/2018-06-01/runtime"
NEXT = f"{PREFIX}/invocation/next"
PATIENCE = 30.0  # seconds


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    api = RuntimeApi()
    yield api
    api.close()


def ask(api: RuntimeApi, method: str, path: str, body: bytes = b"", **headers: str) -> int:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return answers.ask(port_of(api), method, path, given, body).status


def port_of(api: RuntimeApi) -> int:
    return int(api.address.split(":")[1])


def offer(api: RuntimeApi, request_id: str) -> None:
    api.offer(Invocation(request_id, b"{}", time.time() + PATIENCE, "arn"))


def test_another_user_cannot_get_an_invocation_or_post_an_outcome(api):
    def status(method: str, path: str) -> str:
        request = f"{method} {path} HTTP/1.1\r\nHost: {api.address}\r\nContent-Length: 2\r\n\r\n{{}}"
        return send_as_another_user(port_of(api), request).split()[1]

    offer(api, "first")
    assert status("GET", NEXT) == "403"
    assert status("POST", f"{PREFIX}/init/error") == "403"
    assert ask(api, "GET", NEXT) == 200
    assert status("POST", f"{PREFIX}/invocation/first/response") == "403"
    assert ask(api, "POST", f"{PREFIX}/invocation/first/response", b"1") == 202
    assert api.outcome(PATIENCE) == Outcome(b"1", is_error=False)


def test_only_the_current_invocations_outcome_is_accepted_and_once(api):
    of_first, of_second = (f"{PREFIX}/invocation/{name}/response" for name in ("first", "second"))
    assert ask(api, "POST", of_first) == 400  # not offered
    offer(api, "first")
    assert ask(api, "POST", of_first) == 400  # not requested
    assert ask(api, "GET", NEXT) == 200
    assert ask(api, "POST", of_second) == 400
    assert ask(api, "POST", f"{PREFIX}/init/error") == 400  # it has started
    assert ask(api, "POST", of_first, b"1") == 202
    assert ask(api, "POST", of_first, b"2") == 400
    assert ask(api, "POST", of_first.replace("response", "error"), b"2") == 400
    assert api.outcome(PATIENCE) == Outcome(b"1", is_error=False)
    assert api.outcome(0) is None


def test_an_invocation_for_a_disconnected_client_goes_to_the_next(api):
    with socket.create_connection(("127.0.0.1", port_of(api))) as connection:
        connection.sendall(f"GET {NEXT} HTTP/1.1\r\nHost: {api.address}\r\n\r\n".encode())
        assert api.is_ready.wait(PATIENCE)
    offer(api, "first")
    assert ask(api, "GET", NEXT) == 200
    assert ask(api, "POST", f"{PREFIX}/invocation/first/response", b"1") == 202


def test_a_failed_start_is_accepted_once(api):
    assert [ask(api, "POST", f"{PREFIX}/init/error", b"x") for _ in range(2)] == [202, 400]
    assert api.outcome(PATIENCE) == Outcome(b"x", is_error=True)
    assert api.outcome(0) is None


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content_Length": str(LARGEST_BODY + 1)}, b"", 413),
        ({"Content_Length": "-1"}, b"", 400),
        ({"Content_Length": "many"}, b"", 400),
        ({"Transfer_Encoding": "chunked"}, f"{LARGEST_BODY + 1:x}\r\n".encode(), 413),
        ({"Transfer_Encoding": "chunked"}, b"-1\r\n", 400),
        ({"Transfer_Encoding": "chunked"}, b"\xff\r\n", 400),
    ],
)
def test_a_body_with_an_invalid_size_is_refused_unread(api, headers, body, status):
    assert ask(api, "POST", f"{PREFIX}/init/error", body, **headers) == status
    assert api.outcome(0) is None


def test_the_total_size_of_a_chunked_body_is_limited(api, monkeypatch):
    monkeypatch.setattr(runtime_api, "LARGEST_BODY", 10)
    chunked = {"Transfer_Encoding": "chunked"}
    assert ask(api, "POST", f"{PREFIX}/init/error", b"6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n", **chunked) == 413
    assert api.outcome(0) is None
    assert ask(api, "POST", f"{PREFIX}/init/error", b"6\r\n123456\r\n4\r\n1234\r\n0\r\n\r\n", **chunked) == 202
    assert api.outcome(PATIENCE) == Outcome(b"1234561234", is_error=True)


@pytest.mark.parametrize(
    "path", ["/", f"{PREFIX}/init", f"{PREFIX}/init/error/x", f"{PREFIX}/init/errors", f"x{PREFIX}/init/error"]
)
def test_an_unknown_path_gets_no_invocation_and_is_no_outcome(api, path):
    assert ask(api, "POST", path, b"x") == 404
    assert api.outcome(0) is None
    offer(api, "first")
    assert ask(api, "GET", path) == 404
    assert ask(api, "GET", NEXT) == 200


@pytest.mark.parametrize(
    ("name", "value"), [("Host", "evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")]
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_repeated_header_is_refused_in_either_order(api, name, value, is_first):
    right = {"Host": api.address, "Sec-Fetch-Site": "none"}
    twice = [(name, value), (name, right.get(name, value))]
    others = [(other, right[other]) for other in right.keys() - {name}]
    connection = http.client.HTTPConnection(api.address, timeout=PATIENCE)
    connection.putrequest("POST", f"{PREFIX}/init/error", skip_host=True)
    for header in [*(twice if is_first else reversed(twice)), *others, ("Content-Length", "0")]:
        connection.putheader(*header)
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()
    assert api.outcome(0) is None


def test_a_late_outcome_does_not_affect_the_next_invocation(api):
    offer(api, "first")
    assert ask(api, "GET", NEXT) == 200
    assert ask(api, "POST", f"{PREFIX}/invocation/first/error", b"1") == 202
    statuses: SimpleQueue[int] = SimpleQueue()
    waiting = threading.Thread(target=lambda: statuses.put(ask(api, "GET", NEXT)))
    waiting.start()
    assert ask(api, "POST", f"{PREFIX}/invocation/first/response", b"2") == 400
    offer(api, "second")
    assert statuses.get(timeout=PATIENCE) == 200
    waiting.join()
    assert ask(api, "POST", f"{PREFIX}/invocation/second/response", b"3") == 202
    outcomes = [api.outcome(0) for _ in range(3)]
    assert outcomes == [Outcome(b"1", is_error=True), Outcome(b"3", is_error=False), None]
