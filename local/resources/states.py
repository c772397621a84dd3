"""Step Functions state machines."""

import json
from collections.abc import Iterator, Mapping

import yaml

from local.errors import TemplateError
from local.intrinsics import as_text
from local.loose_types import Json
from local.resources.base import NO_BILLING, NO_ENCRYPTION, NO_TRACES, ONE_LOG, Physical, Resource, Stack, resource_type


@resource_type(
    "AWS::StepFunctions::StateMachine",
    supported={
        "Definition",
        "DefinitionS3Location",
        "DefinitionString",
        "DefinitionSubstitutions",
        "RoleArn",
        "StateMachineName",
        "StateMachineType",
    },
    ignored={
        NO_ENCRYPTION: {"EncryptionConfiguration"},
        ONE_LOG: {"LoggingConfiguration"},
        NO_BILLING: {"Tags"},
        NO_TRACES: {"TracingConfiguration"},
    },
)
def state_machine(stack: Stack, resource: Resource) -> Physical:
    """Create or update a standard state machine in JSONPath; running executions keep their definition."""
    if resource.properties.get("StateMachineType", "STANDARD") != "STANDARD":
        raise resource.unsupported("StateMachineType EXPRESS")
    name = stack.physical_name(resource, "StateMachineName", 80)
    definition = parse_definition(
        _definition_text(stack, resource), resource.properties.get("DefinitionSubstitutions", {}), resource.logical_id
    )
    if any(node.get("QueryLanguage") == "JSONata" for node in _objects(definition)):
        raise resource.unsupported("QueryLanguage JSONata: write JSONPath")
    role = resource.properties["RoleArn"]
    text = json.dumps(definition)
    created = stack.call("stepfunctions", "create_state_machine", name=name, definition=text, roleArn=role)
    arn = created["stateMachineArn"]
    # The call above does not change an existing one.
    stack.call("stepfunctions", "update_state_machine", stateMachineArn=arn, definition=text, roleArn=role)
    return Physical(arn, {"Arn": arn, "Name": name})


def _definition_text(stack: Stack, resource: Resource) -> str:
    properties = resource.properties
    if "DefinitionS3Location" in properties:
        location = properties["DefinitionS3Location"]
        stored = stack.aws.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"])
        return str(stored["Body"].read().decode("utf-8"))
    if "DefinitionString" in properties:
        return str(properties["DefinitionString"])
    return json.dumps(properties["Definition"])


def parse_definition(text: str, substitutions: Mapping[str, Json], logical_id: str) -> dict[str, Json]:
    """Return the definition, JSON or YAML, after replacing its ${substitutions} in the text as CloudFormation does."""
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", as_text(value))
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise TemplateError(f"{logical_id}: the definition has YAML aliases, which CloudFormation does not resolve")
        definition = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TemplateError(f"{logical_id}: the definition is neither JSON nor YAML: {error}") from error
    if not isinstance(definition, dict):
        raise TemplateError(f"{logical_id}: the definition is not a mapping")
    return definition


def _objects(node: object) -> Iterator[Mapping[str, Json]]:
    if isinstance(node, dict):
        yield node
        for item in node.values():
            yield from _objects(item)
    elif isinstance(node, list):
        for item in node:
            yield from _objects(item)
