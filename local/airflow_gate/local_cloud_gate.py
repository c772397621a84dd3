"""The check that keeps websites out of the local Airflow: an ASGI application around that of its API server.

The other local servers answer programs only. Airflow has pages of its own, so their requests are allowed. Airflow's
environment has no other module of the local cloud, so this one imports none.

Host. By DNS rebinding a website makes its own name resolve to 127.0.0.1. Its requests still carry the website's name.

Origin and Sec-Fetch-Site. Browsers send these to say which page a request comes from. It must be a page of this server,
except for a link that opens a page of Airflow: such a request changes nothing, and the website cannot read the answer.
The page that logs out does change something, so that no link of a website may open it.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

_DEFAULT_PORT = 80  # clients leave it out of Host and Origin
_POLICY_VIOLATION = 1008  # the code with which a WebSocket is closed


def why_refused(method: str, headers: Iterable[tuple[bytes, bytes]], port: int, path: str = "/") -> str | None:
    """Return why a request is refused; None where it is not.

    method: of HTTP; WebSockets are opened by GET.
    headers: names in lower case, as ASGI has them.
    port: of the server at 127.0.0.1.
    path: without the query.
    """
    values: dict[bytes, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value.decode("latin-1"))
    host = values.get(b"host", [])
    if len(host) != 1 or host[0] not in _own_hosts(port):
        return f"This server answers to 127.0.0.1:{port} and localhost:{port} only: use one of these addresses."
    is_own_origin = values.get(b"origin") in (None, [f"http://{host[0]}"])
    is_own_page = values.get(b"sec-fetch-site") in (None, ["same-origin"], ["none"])  # none: the user typed the address
    is_link = (
        method == "GET"
        and values.get(b"sec-fetch-mode") == ["navigate"]
        and values.get(b"sec-fetch-dest") == ["document"]
        and not path.rstrip("/").endswith("/logout")
    )
    if is_own_origin and (is_own_page or is_link):
        return None
    return "A page of another website sent this request (see its headers Origin and Sec-Fetch-Site): use Airflow's own."


class Gate:
    """An ASGI application around another: answers 403 to what may not reach that one, without CORS headers."""

    def __init__(self, app: Asgi, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on as it came, or refuse it."""
        if scope["type"] == "lifespan":  # start and end of the server, which are no requests
            await self._app(scope, receive, send)
            return
        reason = why_refused(scope.get("method", "GET"), scope["headers"], self._port, scope.get("path", "/"))
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
        else:
            body = json.dumps({"detail": reason}).encode()  # as Airflow's API reports errors
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})


def _own_hosts(port: int) -> set[str]:
    names = {"127.0.0.1", "localhost"}
    return {f"{name}:{port}" for name in names} | (names if port == _DEFAULT_PORT else set())
