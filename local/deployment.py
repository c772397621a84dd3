"""Create or update a template's resources with AWS API calls, in the order of their references."""

from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import ACCOUNT, Aws
from local.errors import NotSupportedError, TemplateError
from local.intrinsics import NO_VALUE, Resolver
from local.loose_types import Json
from local.packaging import Artifacts
from local.resources import KINDS, Physical, Resource, Stack
from local.samconfig import Settings
from local.template import Template, translate, with_artifacts

_RESOURCE_KEYS = {"Condition", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdateReplacePolicy"}


class Deployment:
    """One deployment of a translated template."""

    def __init__(self, translated: Mapping[str, Json], parameters: Mapping[str, Json], stack: Stack) -> None:
        self._resources: Mapping[str, Json] = translated["Resources"]
        self._outputs: Mapping[str, Json] = translated.get("Outputs", {})
        self._stack = stack
        self._created: dict[str, Physical] = {}
        self._pending: list[str] = []  # the resources being created; each refers to the next
        self._resolver = Resolver(
            values={**pseudo_parameters(stack), **parameters},
            mappings=translated.get("Mappings", {}),
            conditions=translated.get("Conditions", {}),
            ref=lambda name: self._physical(name).ref,
            attribute=self._attribute,
        )

    def run(self) -> dict[str, str]:
        """Create or update all resources and return the outputs. Raises TemplateError that names the resource."""
        for logical_id, resource in self._resources.items():
            self._check_type(logical_id, resource)
        for logical_id in self._resources:
            if self._is_enabled(self._resources[logical_id]):
                self._physical(logical_id)
        return {
            name: str(self._resolver.resolve(output["Value"]))
            for name, output in self._outputs.items()
            if self._is_enabled(output)
        }

    @property
    def resources(self) -> dict[str, str]:
        """The types of the deployed resources by logical id."""
        return {logical_id: self._resources[logical_id]["Type"] for logical_id in self._created}

    def _check_type(self, logical_id: str, resource: Mapping[str, Json]) -> None:
        if resource["Type"] not in KINDS:
            raise NotSupportedError(logical_id, resource["Type"], "this resource type")
        if unknown := sorted(set(resource) - _RESOURCE_KEYS):
            raise NotSupportedError(logical_id, resource["Type"], f"the attribute {unknown[0]}")

    def _is_enabled(self, conditional: Mapping[str, Json]) -> bool:
        return "Condition" not in conditional or self._resolver.condition(conditional["Condition"])

    def _physical(self, logical_id: str) -> Physical:
        if logical_id not in self._created:
            self._created[logical_id] = self._create(logical_id)
        return self._created[logical_id]

    def _attribute(self, logical_id: str, attribute: str) -> str:
        attributes = self._physical(logical_id).attributes
        if attribute not in attributes:
            raise TemplateError(f"Fn::GetAtt {logical_id}.{attribute}: the local cloud does not support this attribute")
        return attributes[attribute]

    def _create(self, logical_id: str) -> Physical:
        if logical_id not in self._resources:
            raise TemplateError(f"the template refers to {logical_id}, which it does not define")
        definition = self._resources[logical_id]
        if not self._is_enabled(definition):
            raise TemplateError(f"the template refers to {logical_id}, whose condition is false")
        if logical_id in self._pending:
            raise TemplateError(f"circular reference: {' → '.join([*self._pending, logical_id])}")
        self._pending.append(logical_id)
        try:
            dependencies = definition.get("DependsOn", [])
            for dependency in [dependencies] if isinstance(dependencies, str) else dependencies:
                if self._is_enabled(self._resources.get(dependency, {})):
                    self._physical(dependency)
            properties = self._resolver.resolve(definition.get("Properties", {}))
            resource = Resource(logical_id, definition["Type"], {} if properties is NO_VALUE else properties)
            kind = KINDS[resource.type]
            kind.check(resource)
            try:
                return kind.create(self._stack, resource)
            except (ClientError, BotoCoreError) as error:
                raise TemplateError(f"{logical_id} ({resource.type}): {error}") from error
        finally:
            self._pending.pop()


def pseudo_parameters(stack: Stack) -> dict[str, Json]:
    """Return the values of AWS::Region and the other pseudo parameters."""
    return {
        "AWS::AccountId": stack.account,
        "AWS::NoValue": NO_VALUE,
        "AWS::Partition": "aws",
        "AWS::Region": stack.aws.region,
        "AWS::StackId": stack.arn("cloudformation", f"stack/{stack.name}/local"),
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com",
    }


def deploy(
    template: Template, settings: Settings, aws: Aws, report: Callable[[str], None]
) -> tuple[dict[str, str], dict[str, str]]:
    """Build, package, translate and deploy; return the outputs and the resources' types."""
    bucket = str(template.parameters.get("ArtifactsBucket") or f"{settings.stack_name}-artifacts").lower()
    packaged = with_artifacts(template, Artifacts(aws, bucket, report))
    translated = translate(packaged, template.parameters, settings.region)
    deployment = Deployment(translated, template.parameters, Stack(aws, settings.stack_name, ACCOUNT))
    outputs = deployment.run()
    return outputs, deployment.resources
