"""Only programs that have the key pass the gate."""

from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.parsers import create_parser

from local.credentials import Credentials
from local.gate import Gate

PORT = 4566
ENDPOINT = f"http://127.0.0.1:{PORT}"
KEY = Credentials.random()
OTHER = Credentials.random()
V4 = "AWS4-HMAC-SHA256 Credential={}/20240625/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
PROTECTION = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
ATTACHMENT = {"Content-Disposition": "attachment"}
OTHER_PORTS = ("127.0.0.1", f"127.0.0.1:{PORT + 1}", f"127.0.0.1:{PORT},evil.example")
OTHER_HOSTS = (f"evil.example:{PORT}", f"127.0.0.1.evil.example:{PORT}", f"bucket.localhost:{PORT}")
ALMOST_THE_KEY = (KEY.access_key_id[:-1], f"{KEY.access_key_id}0")
OTHER_KEYS = ("", "local", "é", OTHER.access_key_id, OTHER.for_job("j").access_key_id, KEY.secret_access_key)
PASSED = "200 OK"
REFUSED = "403 Forbidden"


def request(**changes: str | None) -> dict[str, Any]:
    """Return the environ of an accepted request with some variables changed; None removes one."""
    environ = {
        "REQUEST_METHOD": "GET",
        "HTTP_HOST": f"127.0.0.1:{PORT}",
        "HTTP_AUTHORIZATION": V4.format(KEY.access_key_id),
        "QUERY_STRING": "",
        **changes,
    }
    return {name: value for name, value in environ.items() if value is not None}


def answer(environ: dict[str, Any], own: list[tuple[str, str]] | None = None) -> tuple[str, dict[str, str], bytes]:
    """Return the response of a gate in front of an application that responds with 200."""
    answers = []

    def application(_, start_response):
        start_response(PASSED, own or [])
        return [b"inside"]

    body = b"".join(Gate(application, PORT, KEY.access_key_id)(environ, lambda *response: answers.append(response)))
    [(status, headers)] = answers
    assert len({name.lower() for name, _ in headers}) == len(headers)
    return status, dict(headers), body


def presigned(key: Credentials, signature_version: str) -> str:
    """Return the query of a presigned URL."""
    session: Any = boto3
    s3 = session.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=ENDPOINT,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        config=Config(signature_version=signature_version),
    )
    return urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})).query


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"HTTP_HOST": f"localhost:{PORT}"},
        {"HTTP_SEC_FETCH_SITE": "none"},
        {"HTTP_AUTHORIZATION": V4.format(KEY.for_job("a/b").access_key_id)},
        {"HTTP_AUTHORIZATION": V4.replace("Credential", "SignedHeaders=host, Credential").format(KEY.access_key_id)},
        {"HTTP_AUTHORIZATION": f"AWS {KEY.access_key_id}:c2lnbmF0dXJl"},
        {"HTTP_AUTHORIZATION": KEY.authorization},
        {"HTTP_AUTHORIZATION": None, "QUERY_STRING": presigned(KEY, "s3v4")},
        {"HTTP_AUTHORIZATION": None, "QUERY_STRING": presigned(KEY, "s3")},
        {"HTTP_AUTHORIZATION": None, "QUERY_STRING": presigned(KEY.for_job("a/b"), "s3v4")},
    ],
)
def test_a_program_with_the_key_is_accepted(changes):
    headers = PROTECTION | (ATTACHMENT if changes.get("QUERY_STRING") else {})
    assert answer(request(**changes)) == (PASSED, headers, b"inside")


@pytest.mark.parametrize("written", [str.lower, str.title])
@pytest.mark.parametrize("in_query", [True, False])
def test_a_response_cannot_override_the_protection_headers(in_query, written):
    disposition_name = written("content-disposition")
    own = [(written("content-security-policy"), "script-src *"), (disposition_name, "inline"), ("ETag", "1")]
    headers = answer(
        request(HTTP_AUTHORIZATION=None, QUERY_STRING=presigned(KEY, "s3v4")) if in_query else request(), own
    )[1]
    disposition = ATTACHMENT if in_query else {disposition_name: "inline"}
    assert headers == {"ETag": "1", **PROTECTION, **disposition}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *(({"HTTP_HOST": host}, "to another host") for host in (None, "", *OTHER_PORTS, *OTHER_HOSTS)),
        *(({"HTTP_ORIGIN": origin}, "web page") for origin in ("https://evil.example", ENDPOINT, "null", "")),
        *(({"HTTP_SEC_FETCH_SITE": site}, "web page") for site in ("cross-site", "same-site", "same-origin", "")),
        ({"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": "https://evil.example"}, "web page"),
        *(({"HTTP_AUTHORIZATION": V4.format(key)}, "access key") for key in (*OTHER_KEYS, *ALMOST_THE_KEY)),
        *(({"HTTP_AUTHORIZATION": value}, "access key") for value in (None, "", f"Bearer {KEY.access_key_id}")),
        ({"HTTP_AUTHORIZATION": V4.replace("AWS4-HMAC-SHA256", "Bearer").format(KEY.access_key_id)}, "access key"),
        ({"HTTP_AUTHORIZATION": f"AWS {OTHER.access_key_id}:{KEY.access_key_id}"}, "access key"),
        ({"HTTP_AUTHORIZATION": None, "QUERY_STRING": presigned(OTHER, "s3v4")}, "access key"),
        ({"HTTP_AUTHORIZATION": None, "QUERY_STRING": presigned(OTHER, "s3")}, "access key"),
        ({"HTTP_AUTHORIZATION": V4.format("wrong"), "QUERY_STRING": presigned(KEY, "s3v4")}, "access key"),
    ],
)
def test_anything_else_is_refused_with_its_reason_and_no_cors_headers(changes, reason):
    status, headers, body = answer(request(**changes))
    assert status == REFUSED
    assert reason in body.decode()
    assert set(headers) == {"Content-Type", "Content-Length", *PROTECTION}


@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        ("json", {"HTTP_X_AMZ_TARGET": "AWSGlue.StartJobRun"}),
        ("rest-json", {"CONTENT_TYPE": "application/json"}),
        ("query", {"CONTENT_TYPE": "application/x-www-form-urlencoded"}),
        ("rest-xml", {}),
    ],
)
def test_sdks_can_parse_the_reason(protocol, changes):
    _, headers, body = answer(request(HTTP_AUTHORIZATION=None, **changes))
    parser: Any = create_parser(protocol)
    error = parser.parse({"status_code": 403, "headers": headers, "body": body}, None)["Error"]
    assert error["Code"] == "AccessDenied"
    assert "`python -m local env`" in error["Message"]


def test_a_refused_head_has_no_body():
    status, headers, body = answer(request(REQUEST_METHOD="HEAD", HTTP_AUTHORIZATION=None))
    assert (status, body) == (REFUSED, b"")
    assert int(headers["Content-Length"]) > 0


def test_credentials_are_random_and_not_printed():
    assert KEY != OTHER
    assert len(KEY.access_key_id) == len(KEY.secret_access_key) == 64
    assert KEY.access_key_id not in repr(KEY)
    assert KEY.secret_access_key not in repr(KEY)
