from pathlib import Path

import pytest

from local.errors import NotSupportedError, TemplateError
from local.samconfig import Settings
from local.template import parameter_values, read_template, translate, with_artifacts

SOURCE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test}
Globals:
  Function: {Runtime: python3.12, CodeUri: code/}
Resources:
  Shared:
    Type: AWS::Serverless::Function
    Properties: {Handler: app.handler}
  Made:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties: {Handler: app.handler, CodeUri: code/}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machine.yaml
      Role: arn:aws:iam::123456789012:role/r
      DefinitionSubstitutions: {A: !Ref Stage}
  Job:
    Type: AWS::Glue::Job
    Properties: {Role: r, Command: {Name: glueetl, ScriptLocation: job.py}}
  Away:
    Type: AWS::Glue::Job
    Properties: {Role: r, Command: {Name: pythonshell, ScriptLocation: s3://elsewhere/job.py}}
"""


class Store:
    """Returns URIs without uploading."""

    def function(self, logical_id: str, code: Path, *, makefile: bool) -> str:
        return f"s3://store/{logical_id}-{'made' if makefile else 'zipped'}-{code.name}.zip"

    def file(self, path: Path) -> str:
        return f"s3://store/{path.name}"


@pytest.fixture
def template(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "machine.yaml").touch()
    (tmp_path / "job.py").touch()
    (tmp_path / "template.yaml").write_text(SOURCE)
    return read_template(tmp_path / "template.yaml", Settings())


def test_local_files_become_artifacts(template):
    resources = with_artifacts(template, Store())["Resources"]
    properties = {name: resource["Properties"] for name, resource in resources.items()}
    assert properties["Shared"]["CodeUri"] == "s3://store/Shared-zipped-code.zip"
    assert properties["Made"]["CodeUri"] == "s3://store/Made-made-code.zip"
    assert properties["Machine"]["DefinitionUri"] == "s3://store/machine.yaml"
    assert properties["Job"]["Command"]["ScriptLocation"] == "s3://store/job.py"
    assert properties["Away"]["Command"]["ScriptLocation"] == "s3://elsewhere/job.py"
    assert template.has_spark_jobs


def test_translation_gives_cloudformation(template):
    resources = translate(with_artifacts(template, Store()), template.parameters, "us-east-1")["Resources"]
    assert resources["Machine"]["Type"] == "AWS::StepFunctions::StateMachine"
    location = resources["Machine"]["Properties"]["DefinitionS3Location"]
    assert location == {"Bucket": "store", "Key": "machine.yaml"}
    assert resources["Made"]["Properties"]["Code"] == {"S3Bucket": "store", "S3Key": "Made-made-code.zip"}


def test_a_missing_file_and_another_build_method_are_named(template):
    (template.folder / "machine.yaml").unlink()
    with pytest.raises(TemplateError, match=r"Machine: machine\.yaml does not exist"):
        with_artifacts(template, Store())
    template.source["Resources"]["Made"]["Metadata"]["BuildMethod"] = "esbuild"
    with pytest.raises(NotSupportedError, match=r"Made .*BuildMethod esbuild"):
        with_artifacts(template, Store())


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        ({"A": {"Default": 5}}, {}, {"A": "5"}),
        ({"A": {"Default": 5}}, {"A": "6"}, {"A": "6"}),
        ({"A": {"Type": "CommaDelimitedList", "Default": "x, y"}}, {}, {"A": ["x", "y"]}),
    ],
)
def test_given_parameters_override_defaults(declared, given, expected):
    assert parameter_values(declared, given) == expected


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ({"A": {}}, {}, "A has no default"),
        ({}, {"B": "1"}, "no parameter B"),
        ({"A": {"AllowedValues": ["x"]}}, {"A": "y"}, "'y' is not one of x"),
        ({"A": {"AllowedPattern": "[a-z]+"}}, {"A": "Y"}, "does not match"),
        ({"A": {"Type": "Number"}}, {"A": "many"}, "not a number"),
        ({"A": {"Type": "Number", "MaxValue": 3}}, {"A": "4"}, "out of range"),
    ],
)
def test_invalid_parameters_are_refused(declared, given, message):
    with pytest.raises(TemplateError, match=message):
        parameter_values(declared, given)


def test_a_file_that_is_no_template_is_named(tmp_path):
    with pytest.raises(TemplateError, match=r"no template at .*--template"):
        read_template(tmp_path / "t.yaml", Settings())
    for text in ("{", "just text", "Outputs: {}"):
        (tmp_path / "t.yaml").write_text(text)
        with pytest.raises(TemplateError, match=r"t\.yaml"):
            read_template(tmp_path / "t.yaml", Settings())
