"""Who called what: each kind of request that a job's runs make of the cloud, once, for whoever holds it against roles.

Runs of a job sign by an access key that names the job. On AWS its role would decide; here nothing is refused.
"""

import html
import io
import json
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import parse_qs, unquote

from local.aws import CREDENTIALS
from local.loose_types import Json

_PREFIX = "job-"
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
_S3_OBJECT = {
    "HEAD": "HeadObject",
    "GET": "GetObject",
    "PUT": "PutObject",
    "POST": "CompleteMultipartUpload",
    "DELETE": "DeleteObject",
}
_S3_SPECIAL = {  # by method and a name in the query
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "delete"): "DeleteObjects",
    ("PUT", "partNumber"): "UploadPart",
    ("PUT", "tagging"): "PutObjectTagging",
    ("GET", "tagging"): "GetObjectTagging",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "list-type"): "ListObjectsV2",
}


def credentials_of(job: str) -> dict[str, str]:
    """What the runs of a job sign their requests with."""
    return {**CREDENTIALS, "AWS_ACCESS_KEY_ID": f"{_PREFIX}{job}"}


class Callers:
    """A WSGI application around the cloud's; notes the requests of jobs into a file, a JSON object a line.

    A line has job, service and operation as botocore names them, and parameters of the call: those of a JSON service
    whole, Bucket, Key and Prefix of S3. A request that was answered 404 is noted once more, with ``missing``: on AWS
    a role hears 403 instead, unless it may list the bucket.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], file: Path) -> None:
        self._application = application
        self._file = file
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Json], start_response: Callable[..., Json]) -> Iterable[bytes]:
        """Note the request, then pass it on as it came."""
        found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if found and found[1].startswith(_PREFIX):
            job, (service, operation, parameters) = found[1].removeprefix(_PREFIX), _told(found[2], environ)
            call = {"job": job, "service": service, "operation": operation, "parameters": parameters}
            self._note(call)

            def answer(status: str, *more: Json) -> Json:
                if status.startswith("404"):
                    self._note({**call, "missing": True})
                return start_response(status, *more)

            return self._application(environ, answer)
        return self._application(environ, start_response)

    def _note(self, call: dict[str, Json]) -> None:
        line = json.dumps(call, sort_keys=True)
        with self._lock:
            if line not in self._known:
                self._known.add(line)
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")


def _told(service: str, environ: dict[str, Json]) -> tuple[str, str, dict[str, Json]]:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if not target:
        return service, *_of_s3(environ)
    return service, target.rpartition(".")[2], json.loads(_body(environ) or b"{}")


def _body(environ: dict[str, Json]) -> bytes:
    """The request's body, which the cloud can read again."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _of_s3(environ: dict[str, Json]) -> tuple[str, dict[str, Json]]:
    method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    bucket, _, key = unquote(str(environ["RAW_URI"]).partition("?")[0]).lstrip("/").partition("/")
    special = (operation for (verb, name), operation in _S3_SPECIAL.items() if verb == method and name in query)
    operation = next(special, _S3_OBJECT[method] if key else "HeadBucket" if method == "HEAD" else "ListObjects")
    if operation == "PutObject" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        origin, _, path = unquote(environ["HTTP_X_AMZ_COPY_SOURCE"]).lstrip("/").partition("/")
        return "CopyObject", {"Bucket": bucket, "Key": key, "CopySource": {"Bucket": origin, "Key": path}}
    if operation == "DeleteObjects":
        keys = re.findall(r"<Key>(.*?)</Key>", _body(environ).decode())
        return operation, {"Bucket": bucket, "Delete": {"Objects": [{"Key": html.unescape(key)} for key in keys]}}
    told: dict[str, Json] = {"Bucket": bucket}
    if key:
        told["Key"] = key
    if operation.startswith("ListObjects"):
        told["Prefix"] = query.get("prefix", [""])[0]
    return operation, told
