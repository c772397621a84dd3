"""The requests of job runs are recorded once and passed on unchanged."""

import io
import json

import pytest

from local.callers import Callers
from local.credentials import Credentials

CLOUD = Credentials.random()
JOB = CLOUD.for_job("count").access_key_id
DELETE, DELETED = b"<Delete><Object><Key>a&amp;b</Key></Object></Delete>", {"Objects": [{"Key": "a&b"}]}


def request(method: str, uri: str, service: str = "s3", key: str = JOB, body: bytes = b"", **headers: str) -> dict:
    return {
        "REQUEST_METHOD": method,
        "RAW_URI": uri,
        "QUERY_STRING": uri.partition("?")[2],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={key}/20240625/us-east-1/{service}/aws4_request",
        **headers,
    }


def recorded(tmp_path, *requests: dict) -> list[tuple[str, str, str, dict]]:
    bodies = []

    def application(environ, _start_response):
        bodies.append(environ["wsgi.input"].read())
        return []

    expected = [request["wsgi.input"].getvalue() for request in requests]
    callers = Callers(application, tmp_path / "calls")
    for sent in requests:
        callers(sent, lambda *_: None)
    assert bodies == expected
    lines = (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []
    calls = [json.loads(line) for line in lines]
    return [(call["job"], call["service"], call["operation"], call["parameters"]) for call in calls]


@pytest.mark.parametrize(
    ("sent", "operation", "parameters"),
    [
        (request("GET", "/lake/a%20b/c"), "GetObject", {"Bucket": "lake", "Key": "a b/c"}),
        (request("HEAD", "/lake/"), "HeadBucket", {"Bucket": "lake"}),
        (request("GET", "/lake?list-type=2&prefix=x%2F"), "ListObjectsV2", {"Bucket": "lake", "Prefix": "x/"}),
        (request("GET", "/lake?versions&prefix=x%2F"), "ListObjectVersions", {"Bucket": "lake", "Prefix": "x/"}),
        (request("GET", "/lake/a?versionId=v%201"), "GetObject", {"Bucket": "lake", "Key": "a", "VersionId": "v 1"}),
        (
            request("PUT", "/lake/a", HTTP_X_AMZ_COPY_SOURCE="/land/b%3F?versionId=v1"),
            "CopyObject",
            {"Bucket": "lake", "Key": "a", "CopySource": {"Bucket": "land", "Key": "b?", "VersionId": "v1"}},
        ),
        (request("POST", "/lake/a?uploads"), "CreateMultipartUpload", {"Bucket": "lake", "Key": "a"}),
        (request("PUT", "/lake/a?partNumber=1&uploadId=u"), "UploadPart", {"Bucket": "lake", "Key": "a"}),
        (request("POST", "/lake/?delete", body=DELETE), "DeleteObjects", {"Bucket": "lake", "Delete": DELETED}),
    ],
)
def test_s3_requests_have_the_sdks_operation_names(tmp_path, sent, operation, parameters):
    assert recorded(tmp_path, sent) == [("count", "s3", operation, parameters)]


def test_a_json_request_has_the_operation_of_its_target_header(tmp_path):
    sent = request("POST", "/", "glue", body=b'{"Name": "t"}', HTTP_X_AMZ_TARGET="AWSGlue.GetTable")
    assert recorded(tmp_path, sent) == [("count", "glue", "GetTable", {"Name": "t"})]


def test_only_requests_of_jobs_are_recorded_and_each_once(tmp_path):
    key = CLOUD.for_job("a/b -job- 100% ü").access_key_id
    unsigned = {**request("GET", "/lake/a"), "HTTP_AUTHORIZATION": ""}
    of_no_job = request("GET", "/lake/a", key=CLOUD.access_key_id)
    of_job = (request("GET", f"/lake/{name}", key=key) for name in ("a", "a", "b"))
    assert [job for job, *_ in recorded(tmp_path, unsigned, of_no_job, *of_job)] == ["a/b -job- 100% ü"] * 2


def test_a_request_answered_with_404_is_recorded_as_missing(tmp_path):
    def application(environ, start_response):
        start_response("200 OK" if "there" in environ["RAW_URI"] else "404 NOT FOUND", [])
        return []

    callers, answers = Callers(application, tmp_path / "calls"), []
    for key in ("there", "gone"):
        callers(request("HEAD", f"/lake/{key}"), lambda status, *_: answers.append(status))
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    missing = [(call["parameters"]["Key"], call.get("missing", False)) for call in calls]
    assert missing == [("there", False), ("gone", False), ("gone", True)]
    assert answers == ["200 OK", "404 NOT FOUND"]
