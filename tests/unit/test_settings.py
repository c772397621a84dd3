"""Settings are read from the environment into typed fields."""

from dataclasses import dataclass

import pytest

from music_streams.aws import settings
from music_streams.errors import BadSetting


@dataclass(frozen=True)
class Settings:
    lake_bucket: str
    max_file_bytes: int
    timeout_seconds: float


GOOD = {"LAKE_BUCKET": "lake", "MAX_FILE_BYTES": "1024", "TIMEOUT_SECONDS": "2.5", "PATH": "/bin"}


def test_each_field_is_the_variable_of_its_name_converted_to_its_type():
    assert settings.read(Settings, GOOD) == Settings("lake", 1024, 2.5)


@pytest.mark.parametrize("name", ["LAKE_BUCKET", "MAX_FILE_BYTES", "TIMEOUT_SECONDS"])
def test_the_error_names_a_missing_variable(name):
    without = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(BadSetting, match=name):
        settings.read(Settings, without)


@pytest.mark.parametrize(
    ("name", "value"), [("MAX_FILE_BYTES", "1 GiB"), ("MAX_FILE_BYTES", "1.5"), ("TIMEOUT_SECONDS", "")]
)
def test_the_error_names_a_variable_that_is_not_a_number_and_its_text(name, value):
    with pytest.raises(BadSetting, match=f"{name} must be (int|float), not '{value}'"):
        settings.read(Settings, {**GOOD, name: value})
