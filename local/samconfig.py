"""Settings of an environment in samconfig.toml, read as the SAM CLI reads them."""

import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.errors import TemplateError
from local.loose_types import Json

DEFAULT_STACK_NAME = "local"
DEFAULT_REGION = "us-east-1"
_LONG_FORM = re.compile(r"^ParameterKey=(?P<key>[^,]+),ParameterValue=(?P<value>.*)$", re.DOTALL)


@dataclass(frozen=True)
class Settings:
    """The settings of a deployment in one environment of the file."""

    stack_name: str = DEFAULT_STACK_NAME
    region: str = DEFAULT_REGION
    parameters: dict[str, str] = field(default_factory=dict)

    def with_parameters(self, overrides: Mapping[str, str]) -> "Settings":
        """Return these settings with some parameters overridden."""
        return replace(self, parameters={**self.parameters, **overrides})


def read_settings(path: Path, environment: str = "local") -> Settings:
    """Return the environment's settings, or defaults if file or section is missing. Raises TemplateError."""
    if not path.is_file():
        return Settings()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get(environment, {})
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(f"{path}: {error}") from error
    shared: Mapping[str, Json] = tables.get("global", {}).get("parameters", {})
    deploy: Mapping[str, Json] = {**shared, **tables.get("deploy", {}).get("parameters", {})}
    return Settings(
        stack_name=str(deploy.get("stack_name", DEFAULT_STACK_NAME)),
        region=str(deploy.get("region", DEFAULT_REGION)),
        parameters=parse_overrides(deploy.get("parameter_overrides", [])),
    )


def parse_overrides(overrides: str | Iterable[str]) -> dict[str, str]:
    """Parse `["K=V", …]` or `'K=V K="a b" ParameterKey=K,ParameterValue=V'`. Raises TemplateError."""
    items = shlex.split(overrides) if isinstance(overrides, str) else [str(item) for item in overrides]
    parameters = {}
    for item in items:
        if long_form := _LONG_FORM.match(item):
            parameters[long_form["key"]] = long_form["value"]
            continue
        name, separator, value = item.partition("=")
        if not separator or not name:
            raise TemplateError(f"parameter_overrides: {item!r} is not of the form Name=Value")
        parameters[name] = _unquoted(value)
    return parameters


def _unquoted(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] == '"'
    return value[1:-1] if is_quoted else value
