"""Access control of the local servers: only programs that have the key, and no web page.

A local server executes code as the developer, and the developer's browser can reach it: any page of any website can
send requests to 127.0.0.1. Three checks keep pages out.

Host. With DNS rebinding, a website makes its own name resolve to 127.0.0.1, and its page counts as the server's own.
Its requests still have the website's name.

Origin and Sec-Fetch-Site. Browsers send these to say where a request comes from, and no AWS client sends them. The only
accepted value of Sec-Fetch-Site is `none`: the user typed or opened an address, such as a presigned URL. Even
`same-origin` is refused, because an HTML object in a bucket is a page of the server itself.

Access key. It is random for each start of the server. A request must have it in the header Authorization or in the
query of a presigned URL. Requests that have it elsewhere, such as form uploads to S3, are refused.

A user may still open an object by its presigned URL, and an object can be a page. Headers of every response make a
browser run none of its scripts, and save it as a file if the URL has the key.
"""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qs

from local.credentials import split_access_key_id
from local.loose_types import Json

MOTO_SETTINGS = {"MOTO_DISABLE_GLOBAL_CORS": "true"}
"""The environment of a process that serves moto. moto reads it when it is imported, and then sends no CORS headers."""

_OPENED_BY_USER = "none"
_IN_HEADER = re.compile(r"^(?:AWS4-HMAC-SHA256 (?:.*[, ])?Credential=([^/,\s]+)/|AWS ([^:\s]+):)")  # signatures v4, v2
_IN_QUERY = ("X-Amz-Credential", "AWSAccessKeyId")  # signatures v4, v2

_PROTECTION = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_AS_A_FILE = {"Content-Disposition": "attachment"}

_FROM_A_PAGE = (
    "A web page sent this request (it has the header Origin or Sec-Fetch-Site), and pages may not call the local "
    "cloud: call it from a program."
)
_WRONG_KEY = (
    "The request does not have the access key of this cloud, which is new after each start of the server: use "
    "access_key_id and secret_access_key of stack.json, or the output of `python -m local env`."
)

Wsgi = Callable[[dict[str, Json], Callable[..., Json]], Iterable[bytes]]


def refusal_reason(headers: Mapping[str, str | None], port: int) -> str | None:
    """Return why a request with these headers is refused whatever its key, or None if it is not.

    headers: Host, Origin and Sec-Fetch-Site; None for each that the request lacks.
    port: of the server at 127.0.0.1.
    """
    if headers["Host"] not in {f"127.0.0.1:{port}", f"localhost:{port}"}:
        return (
            f"This server answers only requests to 127.0.0.1:{port} and localhost:{port}, and this one was sent to "
            "another host: use the endpoint in stack.json."
        )
    if headers["Origin"] is not None or headers["Sec-Fetch-Site"] not in {None, _OPENED_BY_USER}:
        return _FROM_A_PAGE
    return None


class Gate:
    """WSGI middleware that answers 403, without CORS headers, to requests that may not reach the application."""

    def __init__(self, application: Wsgi, port: int, access_key_id: str) -> None:
        self._application = application
        self._port = port
        self._key = access_key_id.encode()

    def __call__(self, environ: dict[str, Json], start_response: Callable[..., Json]) -> Iterable[bytes]:
        """Pass the request on unchanged, or refuse it."""
        headers = {
            "Host": environ.get("HTTP_HOST"),
            "Origin": environ.get("HTTP_ORIGIN"),
            "Sec-Fetch-Site": environ.get("HTTP_SEC_FETCH_SITE"),
        }
        reason = refusal_reason(headers, self._port)
        if reason is None and not self._has_key(environ):
            reason = _WRONG_KEY
        if reason is None:
            added = _PROTECTION if "HTTP_AUTHORIZATION" in environ else {**_PROTECTION, **_AS_A_FILE}

            def respond(status: str, headers: list[tuple[str, str]], *more: Json) -> Json:
                return start_response(status, _with(headers, added), *more)

            return self._application(environ, respond)
        kind, body = _as_error(reason, environ)
        error_headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response("403 Forbidden", _with(error_headers, _PROTECTION))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _has_key(self, environ: Mapping[str, Json]) -> bool:
        key, _ = split_access_key_id(_access_key_id(environ))
        return hmac.compare_digest(key.encode(), self._key)  # constant time, so that the time reveals nothing


def _with(headers: list[tuple[str, str]], added: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the headers plus those added, which replace headers of the same name."""
    names = {name.lower() for name in added}
    return [*((name, value) for name, value in headers if name.lower() not in names), *added.items()]


def _access_key_id(environ: Mapping[str, Json]) -> str:
    """Return the access key id of a signed request or a presigned URL; '' if there is none."""
    if "HTTP_AUTHORIZATION" in environ:
        match = _IN_HEADER.match(environ["HTTP_AUTHORIZATION"])
        return (match[1] or match[2]) if match else ""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    values = next((query[name] for name in _IN_QUERY if name in query), [""])
    return values[0].partition("/")[0]


def _as_error(reason: str, environ: Mapping[str, Json]) -> tuple[str, bytes]:
    """Return the content type and body of an error that SDKs can parse: JSON or XML, like the request."""
    if "HTTP_X_AMZ_TARGET" in environ or "json" in environ.get("CONTENT_TYPE", ""):
        return "application/json", json.dumps({"__type": "AccessDenied", "message": reason}).encode()
    xml = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{reason}</Message></Error></ErrorResponse>"
    return "text/xml", xml.encode()
