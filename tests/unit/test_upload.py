"""After an upload the prefix contains exactly the package, whatever it contained before."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy import upload
from tests.aws import aws_in_process

ROOT = Path(__file__).parents[2]
BUCKET, PREFIX = "my-artifacts", "jobs/0123456789ab"


@pytest.fixture
def s3():
    with aws_in_process():
        client: Any = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "package"
    (path / "dags" / "deep").mkdir(parents=True)
    (path / "job.py").write_bytes(b"print('ours')")
    (path / "dags" / "deep" / "empty.py").touch()
    return path


def stored(s3, prefix: str = "") -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in listed}


def run(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["upload", *map(str, arguments)])
    upload.main()


OURS = {f"{PREFIX}/job.py": b"print('ours')", f"{PREFIX}/dags/deep/empty.py": b""}


def test_every_file_is_uploaded_under_the_prefix(s3, folder, monkeypatch):
    run(monkeypatch, folder, f"s3://{BUCKET}/{PREFIX}")
    assert stored(s3) == OURS


def test_changed_object_of_the_same_size_is_replaced(s3, folder, monkeypatch):
    run(monkeypatch, folder, f"s3://{BUCKET}/{PREFIX}")
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/job.py", Body=b"print('evil')")
    run(monkeypatch, folder, f"s3://{BUCKET}/{PREFIX}")
    assert stored(s3) == OURS


def test_object_outside_the_package_is_deleted_but_other_prefixes_are_kept(s3, folder, monkeypatch):
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/dags/evil.py", Body=b"")
    others = {f"{PREFIX}x/job.py": b"1", "jobs/a": b"2", "functions/b": b"3"}
    for key, content in others.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    run(monkeypatch, folder, f"s3://{BUCKET}/{PREFIX}")
    assert stored(s3) == OURS | others


def test_each_file_is_uploaded_with_its_digest(s3, folder, monkeypatch):
    run(monkeypatch, folder, f"s3://{BUCKET}/{PREFIX}/")
    head = s3.head_object(Bucket=BUCKET, Key=f"{PREFIX}/job.py", ChecksumMode="ENABLED")
    assert base64.b64decode(head["ChecksumSHA256"]) == hashlib.sha256(b"print('ours')").digest()


@pytest.mark.parametrize(
    "target", [f"s3://{BUCKET}", f"s3://{BUCKET}/", f"s3://missing/{PREFIX}", f"s3://no name/{PREFIX}"]
)
def test_failed_upload_reports_its_cause_and_changes_nothing(s3, folder, monkeypatch, target):
    s3.put_object(Bucket=BUCKET, Key="jobs/a", Body=b"2")
    with pytest.raises(SystemExit, match=re.escape(f"{folder} was not uploaded to {target}: ")):
        run(monkeypatch, folder, target)
    assert stored(s3) == {"jobs/a": b"2"}


def test_an_empty_folder_deletes_nothing(s3, tmp_path, monkeypatch):
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/job.py", Body=b"2")
    with pytest.raises(SystemExit, match="nothing to upload"):
        run(monkeypatch, tmp_path / "missing", f"s3://{BUCKET}/{PREFIX}")
    assert stored(s3) == {f"{PREFIX}/job.py": b"2"}


def test_make_deploy_uploads_everything_again():
    """`aws s3 sync` compares only sizes and times, and SAM trusts an object's name to be the digest of its content."""
    recipe = (ROOT / "Makefile").read_text().partition("\ndeploy:")[2].partition("\n\n")[0]
    assert recipe.count("-m deploy.upload ") == 1
    assert "aws s3" not in recipe
    assert "deploy --force-upload " in recipe
