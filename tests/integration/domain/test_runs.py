"""The manifest and the summary in a run's folder are read as they were written."""

import json

import pytest

from music_streams.errors import DamagedObject
from music_streams.state import run_files
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder, SourceOutcome, Summary
from tests.integration.domain.world import LAKE, RECEIVED_AT

HEADER = ["listen_time", 'a, "b"', "é𝄞", "user_id", "track_id"]
A, B = (ManifestSource(digit * 32, "streams", f"{digit * 32}.csv.gz", HEADER, RECEIVED_AT, 1_000) for digit in "ab")


def test_a_manifest_is_read_as_it_was_written(world):
    folder = RunFolder(LAKE, "batch")
    run_files.write_manifest(world.s3, folder, Manifest("batch", [A, B]))
    assert run_files.read_manifest(world.s3, folder) == Manifest("batch", [A, B])
    assert json.loads(world.content("runs/batch/manifest.json", LAKE))["batch_id"] == "batch"


def test_a_manifest_can_be_restricted_to_sources():
    assert Manifest("batch", [A, B]).only({B.source_id, "else"}) == Manifest("batch", [B])


def test_a_summary_is_read_as_it_was_written(world):
    outcomes = {
        A.source_id: SourceOutcome(3, 2, {"duplicate": 1}, ["2024-06-25"]),
        B.source_id: SourceOutcome(3, 0, {"bad_user_id": 3}, [], "too_many_bad_rows"),
    }
    summary = Summary("batch", "batch-1", 2**62, "uuid", ["2024-06-25"], "metrics/jr_1", outcomes)
    run_files.write_summary(world.s3, RunFolder(LAKE, "batch"), summary)
    assert run_files.read_summary(world.s3, RunFolder(LAKE, "batch")) == summary


def test_a_folder_is_found_by_its_manifest():
    folder = RunFolder("lake", "0123")
    assert folder.manifest_uri == "s3://lake/runs/0123/manifest.json"
    assert RunFolder.of_manifest(folder.manifest_uri) == folder
    assert folder.uri("input/x.csv") == "s3://lake/runs/0123/input/x.csv"


@pytest.mark.parametrize("uri", ["", "runs/0123/manifest.json", "https://lake/runs/0123/manifest.json", "s3://"])
def test_a_uri_that_is_not_in_s3_is_rejected(uri):
    with pytest.raises(ValueError, match="not an S3 URI"):
        RunFolder.of_manifest(uri)


HOSTILE = [*(("forget", [user]) for user in ("1) OR (1=1) /*", "7", True, 0)), ("days", ["x' OR 1"])]


@pytest.mark.parametrize(("field", "value"), HOSTILE)
def test_a_manifest_with_an_invalid_user_or_day_is_rejected(world, field, value):
    folder = RunFolder(LAKE, world.name("batch"))
    manifest = {"batch_id": folder.batch_id, "sources": [], field: value}
    for name in ("manifest.json", "claimed-b-1.json"):
        world.s3.put_object(Bucket=LAKE, Key=folder.key(name), Body=json.dumps(manifest).encode())
    with pytest.raises(DamagedObject, match="must be"):
        run_files.read_manifest(world.s3, folder)
    with pytest.raises(DamagedObject, match="must be"):
        run_files.read_claimed(world.s3, folder, "b-1")
