"""JSON objects in S3 are written and read; a missing one is None, and a damaged one raises DamagedObject."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from music_streams import strict
from music_streams.aws.json_objects import find_json, find_sound_json, read_json, write_json
from music_streams.errors import DamagedObject


class Bucket:
    """A client of S3 with one bucket; the code is that of its error for an object that it does not have."""

    def __init__(self, code: str = "NoSuchKey") -> None:
        self.objects: dict[str, bytes] = {}
        self.code = code
        self.put: dict[str, Any] = {}

    def put_object(self, **request: Any) -> None:
        self.put = request
        self.objects[request["Key"]] = request["Body"]

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as boto3 calls it
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": self.code, "Message": Key}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}


def whole(raw: dict[str, Any]) -> int:
    return strict.whole(raw["count"])


def test_a_written_object_can_be_read():
    s3: Any = Bucket()
    write_json(s3, "lake", "a.json", {"count": 7, "name": "ü"})
    assert s3.put["Body"] == '{"count": 7, "name": "ü"}'.encode()
    assert s3.put["ContentType"] == "application/json"
    assert "IfNoneMatch" not in s3.put
    for read in (read_json, find_json, find_sound_json):
        assert read(s3, "lake", "a.json", whole, "") == 7


def test_options_of_writing_are_applied():
    s3: Any = Bucket()
    write_json(s3, "lake", "a.json", {"name": "ü"}, indent=1, is_ascii=True, is_first=True)
    assert s3.put["Body"] == b'{\n "name": "\\u00fc"\n}'
    assert s3.put["IfNoneMatch"] == "*"


@pytest.mark.parametrize("code", ["NoSuchKey", "404"])
def test_a_missing_object_is_none(code):
    s3: Any = Bucket(code)
    assert find_json(s3, "lake", "a.json", whole, "") is None
    assert find_sound_json(s3, "lake", "a.json", whole, "") is None
    with pytest.raises(ClientError, match=code):
        read_json(s3, "lake", "a.json", whole, "")


def test_denied_access_is_not_mistaken_for_a_missing_object():
    s3: Any = Bucket("AccessDenied")
    for read in (read_json, find_json, find_sound_json):
        with pytest.raises(ClientError, match="AccessDenied"):
            read(s3, "lake", "a.json", whole, "")


DAMAGED = {
    b"not json": "it must be a JSON object",
    b'{"count": 1, "count": 1}': "it must be a JSON object",
    b"{}": "it lacks 'count'",
    b'{"count": 0}': "it must be a whole number from 1",
}


@pytest.mark.parametrize(("body", "problem"), DAMAGED.items())
def test_the_error_of_a_damaged_object_names_it_and_says_what_to_do(body, problem, caplog):
    s3: Any = Bucket()
    s3.objects["a.json"] = body
    for read in (read_json, find_json):
        with pytest.raises(DamagedObject, match=rf"^s3://lake/a\.json is damaged: {problem}.*; delete it$"):
            read(s3, "lake", "a.json", whole, "delete it")
    assert find_sound_json(s3, "lake", "a.json", whole, "delete it") is None
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == ["s3://lake/a.json is damaged"]


@pytest.mark.parametrize("form", [lambda raw: raw["count"]["x"], lambda raw: raw["count"].items(), lambda raw: raw[7]])
def test_the_error_of_a_damaged_object_quotes_no_value(form):
    s3: Any = Bucket()
    s3.objects["a.json"] = json.dumps({"count": "secret"}).encode()
    with pytest.raises(DamagedObject) as caught:
        read_json(s3, "lake", "a.json", form, "delete it")
    assert "secret" not in str(caught.value)
