"""Settings as typed models, read once from the environment: a field ``lake_bucket`` is the variable LAKE_BUCKET."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from music_streams.errors import BadSetting

Model = TypeVar("Model")


def read(model: type[Model], environment: Mapping[str, str]) -> Model:
    """Fill a dataclass of str, int and float fields from environment variables.

    Raises:
        BadSetting: a variable is missing, or is not a number as its field requires.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(model):  # type: ignore[arg-type]  # any dataclass
        name = field.name.upper()
        if name not in environment:
            raise BadSetting(f"environment variable {name} is not set; template.yaml sets it for each function")
        convert: Any = field.type
        try:
            values[field.name] = convert(environment[name])
        except ValueError:
            raise BadSetting(
                f"environment variable {name} must be {convert.__name__}, not {environment[name]!r}"
            ) from None
    return model(**values)
