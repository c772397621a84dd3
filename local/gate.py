"""Who may call the local servers: programs that hold the key, and no web page.

A local server runs code as the developer, and the developer's browser reaches it: any page of any website can send
requests to 127.0.0.1. Three checks keep pages out.

Host. By DNS rebinding a website makes its own name resolve to 127.0.0.1, and its page then counts as the server's own.
Its requests still carry the website's name.

Origin and Sec-Fetch-Site. Browsers send these to say where a request comes from, and no AWS client sends them. Of the
values of Sec-Fetch-Site only `none` is accepted: the user typed or opened an address, such as a presigned URL. Even
`same-origin` is refused, because an HTML object in a bucket is a page of the server itself.

Access key. It is random for each start of the server, and must be right wherever a request carries it: in the header
Authorization or in the query of a presigned URL. Requests that carry it elsewhere, such as form uploads to S3, are
refused.

A user may still open an object by its presigned URL, and an object can be a page. Headers of every response make a
browser run no script of it, and save it as a file where the URL has the key.
"""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qs

from local.credentials import split_access_key_id
from local.loose_types import Json

MOTO_SETTINGS = {"MOTO_DISABLE_GLOBAL_CORS": "true"}
"""The environment of a process that serves moto. moto reads it when it is imported: it is to send no CORS headers."""

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
    "The request does not carry the access key of this cloud, which is another after each start of the server: use "
    "access_key_id and secret_access_key of stack.json, or what `python -m local env` prints."
)

Wsgi = Callable[[dict[str, Json], Callable[..., Json]], Iterable[bytes]]


def why_refused(headers: Mapping[str, str | None], port: int) -> str | None:
    """Return why a request with these headers is refused, whatever its key; None where it is not.

    headers: Host, Origin and Sec-Fetch-Site, None for each that the request lacks.
    port: of the server at 127.0.0.1.
    """
    if headers["Host"] not in {f"127.0.0.1:{port}", f"localhost:{port}"}:
        return (
            f"This server answers to 127.0.0.1:{port} and localhost:{port} only, and the request was sent to another "
            "host: use the endpoint of stack.json."
        )
    if headers["Origin"] is not None or headers["Sec-Fetch-Site"] not in {None, _OPENED_BY_USER}:
        return _FROM_A_PAGE
    return None


class Gate:
    """A WSGI application around another: answers 403 to what may not reach that one, without CORS headers."""

    def __init__(self, application: Wsgi, port: int, access_key_id: str) -> None:
        self._application = application
        self._port = port
        self._key = access_key_id.encode()

    def __call__(self, environ: dict[str, Json], start_response: Callable[..., Json]) -> Iterable[bytes]:
        """Pass the request on as it came, or refuse it."""
        headers = {
            "Host": environ.get("HTTP_HOST"),
            "Origin": environ.get("HTTP_ORIGIN"),
            "Sec-Fetch-Site": environ.get("HTTP_SEC_FETCH_SITE"),
        }
        reason = why_refused(headers, self._port)
        if reason is None and not self._holds_key(environ):
            reason = _WRONG_KEY
        if reason is None:
            added = _PROTECTION if "HTTP_AUTHORIZATION" in environ else {**_PROTECTION, **_AS_A_FILE}

            def answer(status: str, told: list[tuple[str, str]], *more: Json) -> Json:
                return start_response(status, _with(told, added), *more)

            return self._application(environ, answer)
        kind, body = _as_error(reason, environ)
        told = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response("403 Forbidden", _with(told, _PROTECTION))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _holds_key(self, environ: Mapping[str, Json]) -> bool:
        key, _ = split_access_key_id(_access_key_id(environ))
        return hmac.compare_digest(key.encode(), self._key)  # takes as long for a key that is nearly right


def _with(headers: list[tuple[str, str]], added: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the headers with those added, which replace any of the same name."""
    names = {name.lower() for name in added}
    return [*((name, value) for name, value in headers if name.lower() not in names), *added.items()]


def _access_key_id(environ: Mapping[str, Json]) -> str:
    """Return the access key id of a signed request or a presigned URL; '' where there is none."""
    if "HTTP_AUTHORIZATION" in environ:
        found = _IN_HEADER.match(environ["HTTP_AUTHORIZATION"])
        return (found[1] or found[2]) if found else ""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    given = next((query[name] for name in _IN_QUERY if name in query), [""])
    return given[0].partition("/")[0]


def _as_error(reason: str, environ: Mapping[str, Json]) -> tuple[str, bytes]:
    """Return the content type and body of an error as the SDKs read it: JSON or XML, as the request is."""
    if "HTTP_X_AMZ_TARGET" in environ or "json" in environ.get("CONTENT_TYPE", ""):
        return "application/json", json.dumps({"__type": "AccessDenied", "message": reason}).encode()
    xml = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{reason}</Message></Error></ErrorResponse>"
    return "text/xml", xml.encode()
