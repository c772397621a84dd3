"""Errors of a run that forgets users do not contain their ids."""

import traceback
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest

from music_streams.errors import ForgetFailed
from music_streams.state.run_files import Manifest, RunFolder, write_claimed
from music_streams.transform import job
from music_streams.transform.masked_errors import masked_user_ids
from music_streams.transform.spark import job as spark_job
from tests.entries import all_published
from tests.integration.transform.directory_s3 import DirectoryS3

USER = 4_711_471_147
CONFLICT = f'Found conflicting files that can contain records matching (ref(name="user_id") in ({USER})): [a.parquet]'


def printed(error: BaseException) -> str:
    """Format an error as Python prints it when it ends a job."""
    return "".join(traceback.format_exception(error))


def test_the_job_fails_without_naming_the_user(tmp_path, monkeypatch):
    lake = Mock()
    lake.find.side_effect = RuntimeError(CONFLICT)  # every statement fails with an error that quotes it
    monkeypatch.setattr(spark_job, "IcebergLake", lambda *_: lake)
    s3: Any = DirectoryS3(tmp_path)
    nobody: Any = None
    folder = RunFolder("lake", "forget")
    write_claimed(s3, folder, "forget-1", Manifest("forget", [], forget=[7, USER]))
    task = job.RunSettings(folder, "forget-1", "jr_1", "landing", Decimal("0.2"), 1, publish_track_metrics=False)
    with pytest.raises(ForgetFailed, match="Found conflicting files") as caught:
        spark_job.run(nobody, s3, nobody, all_published, task)
    assert str(USER) not in printed(caught.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("user_id in (7)", "user_id in (<user_id>)"),
        ("raw RLIKE '(^|x)0*(7|70)($|x)'", "raw RLIKE '(^|x)0*(<user_id>|<user_id>)($|x)'"),
        ("row 007,4dBa,x", "row <user_id>,4dBa,x"),
        ("17 of 77 files, 707", "17 of 77 files, 707"),
    ],
)
def test_only_whole_numbers_that_are_ids_are_masked(text, masked):
    with pytest.raises(ForgetFailed) as caught, masked_user_ids([7, 70]):
        raise ValueError(text)
    assert str(caught.value) == f"ValueError: {masked}"
    assert text == masked or text not in printed(caught.value)


def test_errors_of_other_runs_are_unchanged():
    with pytest.raises(ValueError, match="row 007"), masked_user_ids([]):
        raise ValueError("row 007")
