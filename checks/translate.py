"""Write the template as CloudFormation receives it: SAM expanded, local files replaced, the state machine included.

Linters do not expand SAM, so without this they do not check the resources that a function or state machine becomes.
"""

import argparse
import json
from pathlib import Path

import yaml

from local.loose_types import Json
from local.samconfig import DEFAULT_REGION, read_settings
from local.template import read_template, translate, with_artifacts

_BUCKET = "s3://artifacts"


class NamedArtifacts:
    """The locations that a deployment would use; nothing is built or uploaded."""

    def function(self, logical_id: str, _code: Path, *, makefile: bool) -> str:  # noqa: ARG002  (the protocol requires it)
        """Return the location of a function's code."""
        return f"{_BUCKET}/{logical_id}.zip"

    def file(self, path: Path) -> str:
        """Return the location of a file."""
        return f"{_BUCKET}/{path.name}"


def translated(template_path: Path) -> dict[str, Json]:
    """Return the CloudFormation template of a SAM template. Raises local.errors.TemplateError."""
    settings = read_settings(template_path.with_name("samconfig.toml")).with_parameters({"JobsVersion": "0" * 12})
    template = read_template(template_path, settings)
    result = translate(with_artifacts(template, NamedArtifacts()), template.parameters, DEFAULT_REGION)
    for logical_id, resource in result["Resources"].items():
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            definition = template.source["Resources"][logical_id]["Properties"]["DefinitionUri"]
            del resource["Properties"]["DefinitionS3Location"]
            resource["Properties"]["Definition"] = yaml.safe_load((template.folder / definition).read_text("utf-8"))
    return result


def main() -> None:
    """Translate the template that the command line names."""
    parser = argparse.ArgumentParser(description="Translate a SAM template into a CloudFormation template")
    parser.add_argument("template", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(translated(arguments.template), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
