"""The artifacts of a deployment: built, zipped, and uploaded under the hash of their content."""

import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import ClientError

from local.aws import Aws, code_of
from local.errors import BuildError, TemplateError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that the same content gives the same zip
_SKIPPED = {"__pycache__", ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
_TAIL_OF_BUILD = 15  # lines of a failed build that are shown


class Artifacts:
    """Uploads local files to the artifacts bucket."""

    def __init__(self, aws: Aws, bucket: str, report: Callable[[str], None]) -> None:
        self._aws = aws
        self._bucket = bucket
        self._report = report
        ensure_bucket(aws, bucket)

    def function(self, logical_id: str, code: Path, *, makefile: bool) -> str:
        """Upload a function's zip, which its Makefile target builds first if `makefile` is set; return its URI."""
        if not makefile:
            return self._put(zip_folder(code), f"{logical_id}.zip")
        with tempfile.TemporaryDirectory(prefix="build-") as folder:
            target = Path(folder)
            build_with_make(code, logical_id, target)
            self._report(f"built {logical_id}")
            return self._put(zip_folder(target), f"{logical_id}.zip")

    def file(self, path: Path) -> str:
        """Upload a file, or a folder as a zip; return its URI."""
        return self._put(zip_folder(path) if path.is_dir() else path.read_bytes(), path.name)

    def _put(self, content: bytes, name: str) -> str:
        key = f"{hashlib.sha256(content).hexdigest()[:32]}/{name}"
        s3 = self._aws.client("s3")
        try:
            s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if code_of(error) not in {"404", "NoSuchKey"}:
                raise
            s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        return f"s3://{self._bucket}/{key}"


def build_with_make(code: Path, logical_id: str, target: Path) -> None:
    """Run the Makefile target that `sam build` runs. Raises BuildError with the end of its output."""
    if shutil.which("make") is None:
        raise BuildError("`make` is not installed: install it to build the functions")
    command = ["make", "--no-print-directory", "-C", str(code), f"build-{logical_id}", f"ARTIFACTS_DIR={target}"]
    # If make started this process, its flags must not affect this build.
    env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    result = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if result.returncode != 0:
        tail = "\n".join(result.stdout.strip().splitlines()[-_TAIL_OF_BUILD:])
        raise BuildError(f"building {logical_id} failed (make -C {code} build-{logical_id}):\n{tail}")
    if not any(target.iterdir()):
        raise BuildError(f"make -C {code} build-{logical_id} left ARTIFACTS_DIR empty: copy the function's files there")


def zip_folder(folder: Path) -> bytes:
    """Return the folder's files as a zip that depends only on their names, their content, and which are executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(_files(folder)):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            is_executable = path.stat().st_mode & 0o100
            entry.external_attr = (0o755 if is_executable else 0o644) << 16  # independent of the checkout's umask
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _files(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not _SKIPPED.intersection(path.relative_to(folder).parts)
    ]


def ensure_bucket(aws: Aws, bucket: str) -> None:
    """Create the bucket unless it exists."""
    s3 = aws.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        location = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        s3.create_bucket(Bucket=bucket, **({} if aws.region == "us-east-1" else location))


def upload_folder(aws: Aws, folder: Path, bucket: str, prefix: str) -> int:
    """Upload every file of the folder; return how many. Raises TemplateError if there is no such folder."""
    if not folder.is_dir():
        raise TemplateError(f"--upload: {folder} is not a folder")
    ensure_bucket(aws, bucket)
    files = sorted(_files(folder))
    for path in files:
        key = "/".join(part for part in (prefix.strip("/"), path.relative_to(folder).as_posix()) if part)
        aws.client("s3").upload_file(str(path), bucket, key)
    return len(files)
