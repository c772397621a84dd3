"""The check that keeps websites out of the local Airflow: ASGI middleware for its API server.

The other local servers answer only programs. Airflow has pages, and their requests are allowed. Airflow's environment
contains no other module of the local cloud, so this one imports none.

Host. With DNS rebinding, a website makes its own name resolve to 127.0.0.1. Its requests still have the website's name.

Origin and Sec-Fetch-Site. Browsers send these to say which page a request comes from. It must be a page of this server,
except for a link that opens a page of Airflow: that changes nothing, and the website cannot read the response. The page
that logs out does change something, so no link of a website may open it.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

_DEFAULT_PORT = 80  # clients omit it in Host and Origin
_POLICY_VIOLATION = 1008  # close code of a WebSocket


def refusal_reason(method: str, headers: Iterable[tuple[bytes, bytes]], port: int, path: str = "/") -> str | None:
    """Return why a request is refused, or None if it is accepted.

    method: of HTTP; WebSockets are opened with GET.
    headers: names in lower case, as in ASGI.
    port: of the server at 127.0.0.1.
    path: without the query.
    """
    values: dict[bytes, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value.decode("latin-1"))
    host = values.get(b"host", [])
    if len(host) != 1 or host[0] not in _own_hosts(port):
        return (
            f"This server answers only requests to 127.0.0.1:{port} and localhost:{port}: use one of these addresses."
        )
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
    return "A page of another website sent this request (headers Origin and Sec-Fetch-Site): use Airflow's own pages."


class Gate:
    """ASGI middleware that answers 403, without CORS headers, to requests that may not reach the application."""

    def __init__(self, app: Asgi, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on unchanged, or refuse it."""
        if scope["type"] == "lifespan":  # the server starts or stops; there is no request to check
            await self._app(scope, receive, send)
            return
        reason = refusal_reason(scope.get("method", "GET"), scope["headers"], self._port, scope.get("path", "/"))
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
        else:
            body = json.dumps({"detail": reason}).encode()  # the format of errors in Airflow's API
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})


def _own_hosts(port: int) -> set[str]:
    names = {"127.0.0.1", "localhost"}
    return {f"{name}:{port}" for name in names} | (names if port == _DEFAULT_PORT else set())
