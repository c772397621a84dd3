"""Record which AWS API calls the runs of each job make, so that tests can compare them with the job's role.

A job's runs sign with an access key that names the job. Here they may call everything; on AWS the role decides.
"""

import html
import io
import json
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import parse_qs, unquote

from local.credentials import split_access_key_id
from local.gate import Wsgi
from local.loose_types import Json

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
_S3_OBJECT = {
    "HEAD": "HeadObject",
    "GET": "GetObject",
    "PUT": "PutObject",
    "POST": "CompleteMultipartUpload",
    "DELETE": "DeleteObject",
}
_S3_SPECIAL = {  # by method and a parameter of the query
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "delete"): "DeleteObjects",
    ("PUT", "partNumber"): "UploadPart",
    ("PUT", "tagging"): "PutObjectTagging",
    ("GET", "tagging"): "GetObjectTagging",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "versions"): "ListObjectVersions",
}


class Callers:
    """WSGI middleware that records the requests of jobs in a file, each different one once, as lines of JSON.

    A line has job, service and operation as botocore names them, and the parameters of the call: all of a JSON service;
    Bucket, Key, VersionId and Prefix of S3. A request that was answered with 404 is recorded again with ``missing``: on
    AWS the role gets 403 instead, unless it may list the bucket.
    """

    def __init__(self, application: Wsgi, file: Path) -> None:
        self._application = application
        self._file = file
        self._recorded: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Json], start_response: Callable[..., Json]) -> Iterable[bytes]:
        """Record the request, then pass it on unchanged."""
        credential = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        _, job = split_access_key_id(credential[1] if credential else "")
        if credential and job is not None:
            service, operation, parameters = _call_of(credential[2], environ)
            call = {"job": job, "service": service, "operation": operation, "parameters": parameters}
            self._record(call)

            def respond(status: str, *more: Json) -> Json:
                if status.startswith("404"):
                    self._record({**call, "missing": True})
                return start_response(status, *more)

            return self._application(environ, respond)
        return self._application(environ, start_response)

    def _record(self, call: dict[str, Json]) -> None:
        line = json.dumps(call, sort_keys=True)
        with self._lock:
            if line not in self._recorded:
                self._recorded.add(line)
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")


def _call_of(service: str, environ: dict[str, Json]) -> tuple[str, str, dict[str, Json]]:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if not target:
        return service, *_of_s3(environ)
    return service, target.rpartition(".")[2], json.loads(_body(environ) or b"{}")


def _body(environ: dict[str, Json]) -> bytes:
    """Return the request's body and leave it readable for the cloud."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _of_s3(environ: dict[str, Json]) -> tuple[str, dict[str, Json]]:
    method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    bucket, _, key = unquote(str(environ["RAW_URI"]).partition("?")[0]).lstrip("/").partition("/")
    special = (operation for (verb, name), operation in _S3_SPECIAL.items() if verb == method and name in query)
    operation = next(special, _S3_OBJECT[method] if key else "HeadBucket" if method == "HEAD" else "ListObjects")
    if operation == "PutObject" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        source, _, source_query = environ["HTTP_X_AMZ_COPY_SOURCE"].partition("?")
        origin, _, path = unquote(source).lstrip("/").partition("/")
        version = _version(parse_qs(source_query))
        return "CopyObject", {"Bucket": bucket, "Key": key, "CopySource": {"Bucket": origin, "Key": path, **version}}
    if operation == "DeleteObjects":
        keys = re.findall(r"<Key>(.*?)</Key>", _body(environ).decode())
        return operation, {"Bucket": bucket, "Delete": {"Objects": [{"Key": html.unescape(key)} for key in keys]}}
    parameters: dict[str, Json] = {"Bucket": bucket, **_version(query)}
    if key:
        parameters["Key"] = key
    if operation.startswith("ListObject"):
        parameters["Prefix"] = query.get("prefix", [""])[0]
    return operation, parameters


def _version(query: dict[str, list[str]]) -> dict[str, str]:
    return {"VersionId": query["versionId"][0]} if query.get("versionId") else {}
