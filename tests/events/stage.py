"""The stateful part of the template: tests invoke the functions, and nothing else runs by itself."""

from typing import Any

from samtranslator.yaml_helper import yaml_parse

from tests.functions import ROOT

KEPT = {
    "AWS::DynamoDB::Table",
    "AWS::Glue::Job",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::Serverless::StateMachine",
}
ROLE = "arn:aws:iam::123456789012:role/nobody"
# Executions start and then wait.
WAITING = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 86400, "End": True}}}


def stage_template() -> dict[str, Any]:
    """Return a template of the resources that the functions use, with the Ref of each as an output."""
    template: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    resources = {name: resource for name, resource in template["Resources"].items() if resource["Type"] in KEPT}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties = {"StateMachineName": resource["Properties"]["Name"], "RoleArn": ROLE, "Definition": WAITING}
            resources[name] = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
        elif resource["Type"] == "AWS::Glue::Job":
            command = {"Name": "pythonshell", "PythonVersion": "3.9", "ScriptLocation": "s3://artifacts/job.py"}
            properties = {"Name": resource["Properties"]["Name"], "Role": ROLE, "Command": command}
            resources[name] = {"Type": "AWS::Glue::Job", "Properties": properties}
    return {
        "Transform": template["Transform"],
        "Parameters": template["Parameters"],
        "Conditions": template["Conditions"],
        "Resources": resources,
        "Outputs": {name: {"Value": {"Ref": name}} for name in resources},
    }


def environment_of(function_environment: dict[str, Any], physical: dict[str, str]) -> dict[str, str]:
    """Return a function's environment with resolved references; parameters have their defaults."""
    parameters = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    values = {name: str(parameter["Default"]) for name, parameter in parameters.items() if "Default" in parameter}
    values |= physical
    return {
        name: values[value["Ref"]] if isinstance(value, dict) else str(value)
        for name, value in function_environment.items()
    }
