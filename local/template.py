"""A SAM template: read, with its local files replaced by artifacts, and translated to CloudFormation."""

import copy
import os
import re
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import boto3
import yaml
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.errors import NotSupportedError, TemplateError
from local.loose_types import Json
from local.samconfig import Settings

_FUNCTION = "AWS::Serverless::Function"
# The property of each type that may name a local file; for a Glue job it is in Command.
_FILE_PROPERTY = {
    "AWS::Glue::Job": "ScriptLocation",
    _FUNCTION: "CodeUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}


class ArtifactStore(Protocol):
    """Where local files are uploaded before a deployment; the methods return s3:// URIs."""

    def function(self, logical_id: str, code: Path, *, makefile: bool) -> str:
        """Build and upload a function's code."""

    def file(self, path: Path) -> str:
        """Upload one file."""


@dataclass(frozen=True)
class Template:
    """A template as written, and the values of its parameters."""

    path: Path
    source: Mapping[str, Json]
    parameters: Mapping[str, Json]

    @property
    def folder(self) -> Path:
        """The folder to which the template's paths are relative."""
        return self.path.parent

    @property
    def has_spark_jobs(self) -> bool:
        """Whether a job needs Spark on this machine."""
        return any(
            resource.get("Type") == "AWS::Glue::Job"
            and resource.get("Properties", {}).get("Command", {}).get("Name") == "glueetl"
            for resource in self.source["Resources"].values()
        )


def read_template(path: Path, settings: Settings) -> Template:
    """Read the template and set its parameters. Raises TemplateError."""
    try:
        source = yaml_parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TemplateError(f"no template at {path}: name one with --template") from error
    except (ValueError, yaml.YAMLError) as error:
        raise TemplateError(f"{path}: {error}") from error
    if not isinstance(source, dict) or "Resources" not in source:
        raise TemplateError(f"{path} is not a template: it has no Resources")
    return Template(path.resolve(), source, parameter_values(source.get("Parameters", {}), settings.parameters))


def parameter_values(declared: Mapping[str, Mapping[str, Json]], given: Mapping[str, str]) -> dict[str, Json]:
    """Return the defaults overridden by the given values, validated as CloudFormation does. Raises TemplateError."""
    if unknown := sorted(set(given) - set(declared)):
        raise TemplateError(f"parameter_overrides: the template has no parameter {', '.join(unknown)}")
    values: dict[str, Json] = {}
    for name, declaration in declared.items():
        if name not in given and "Default" not in declaration:
            raise TemplateError(f"parameter {name} has no default: give it in parameter_overrides")
        value = str(given.get(name, declaration.get("Default")))
        is_list = declaration.get("Type", "String") in {"CommaDelimitedList", "List<Number>"}
        items = [item.strip() for item in value.split(",")] if is_list else [value]
        for item in items:  # the declaration's rules apply to each value of a list
            _check_parameter(name, item, declaration)
        values[name] = items if is_list else value
    return values


def _check_parameter(name: str, value: str, declaration: Mapping[str, Json]) -> None:
    allowed = [str(item) for item in declaration.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise TemplateError(f"parameter {name}: {value!r} is not one of {', '.join(allowed)}")
    pattern = declaration.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        raise TemplateError(f"parameter {name}: {value!r} does not match {pattern}")
    if declaration.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError as error:
            raise TemplateError(f"parameter {name}: {value!r} is not a number") from error
        is_too_small = number < float(declaration.get("MinValue", number))
        is_too_large = number > float(declaration.get("MaxValue", number))
        if is_too_small or is_too_large:
            raise TemplateError(f"parameter {name}: {value} is out of range")


def with_artifacts(template: Template, store: ArtifactStore) -> dict[str, Json]:
    """Return the template with every local file replaced by its S3 URI, as `sam build` and `sam package` do."""
    packaged: dict[str, Json] = copy.deepcopy(dict(template.source))
    shared_code = packaged.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as builders:
        uploads: list[tuple[dict[str, Json], str, Future[str]]] = []
        for logical_id, resource in packaged["Resources"].items():
            properties = resource.setdefault("Properties", {})
            kind = resource["Type"]
            if kind == _FUNCTION:
                properties.setdefault("CodeUri", shared_code)
            holder = properties.get("Command", {}) if kind == "AWS::Glue::Job" else properties
            name = _FILE_PROPERTY.get(kind, "")
            location = holder.get(name)
            if not isinstance(location, str) or location.startswith("s3://"):
                continue
            path = _existing(template, logical_id, location)
            if kind == _FUNCTION:
                makefile = _is_built_by_make(logical_id, resource)
                future = builders.submit(store.function, logical_id, path, makefile=makefile)
            else:
                future = builders.submit(store.file, path)
            uploads.append((holder, name, future))
        for holder, name, future in uploads:
            holder[name] = future.result()
    return packaged


def _is_built_by_make(logical_id: str, resource: Mapping[str, Json]) -> bool:
    method = resource.get("Metadata", {}).get("BuildMethod")
    if method not in {None, "makefile"}:
        raise NotSupportedError(logical_id, resource["Type"], f"BuildMethod {method}: use makefile")
    return bool(method == "makefile")


def _existing(template: Template, logical_id: str, location: str) -> Path:
    path = (template.folder / location).resolve()
    if not path.exists():
        raise TemplateError(f"{logical_id}: {location} does not exist next to {template.path.name}")
    return path


def translate(packaged: dict[str, Json], parameters: Mapping[str, Json], region: str) -> dict[str, Json]:
    """Translate SAM to CloudFormation. Raises TemplateError with the translator's messages."""
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=region))
    try:
        translated: dict[str, Json] = translator.translate(packaged, parameter_values=dict(parameters))
    except InvalidDocumentException as error:
        findings = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"the template is not valid: {findings}") from error
    return translated
