"""DynamoDB tables."""

from local.errors import TemplateError
from local.loose_types import Json
from local.resources.base import NO_BILLING, NO_ENCRYPTION, NO_PERMISSIONS, Physical, Resource, Stack, resource_type

_SHAPE = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
)


@resource_type(
    "AWS::DynamoDB::Table",
    supported={"PointInTimeRecoverySpecification", "TableName", "TimeToLiveSpecification", *_SHAPE},
    ignored={
        NO_BILLING: {"ContributorInsightsSpecification", "OnDemandThroughput", "TableClass", "Tags", "WarmThroughput"},
        NO_PERMISSIONS: {"ResourcePolicy"},
        NO_ENCRYPTION: {"SSESpecification"},
    },
)
def table(stack: Stack, resource: Resource) -> Physical:
    """Create the table; an existing one must have the same keys and indexes."""
    name = stack.physical_name(resource, "TableName", 255)
    if found := stack.found("dynamodb", "describe_table", "ResourceNotFoundException", TableName=name):
        present = found["Table"]
        if _keys(present) != _keys(resource.properties):
            raise TemplateError(
                f"{resource.logical_id}: keys or indexes of table {name} changed: start empty with `up --fresh`"
            )
    else:
        present = stack.call("dynamodb", "create_table", TableName=name, **resource.chosen(*_SHAPE))["TableDescription"]
    if "TimeToLiveSpecification" in resource.properties:
        _set_time_to_live(stack, name, resource.properties["TimeToLiveSpecification"])
    stack.apply(resource, "PointInTimeRecoverySpecification", "dynamodb", "update_continuous_backups", TableName=name)
    return Physical(name, {"Arn": present["TableArn"]})


def _set_time_to_live(stack: Stack, name: str, wanted: dict[str, Json]) -> None:
    present = stack.call("dynamodb", "describe_time_to_live", TableName=name)["TimeToLiveDescription"]
    is_on = present.get("TimeToLiveStatus") == "ENABLED"
    if is_on != (str(wanted.get("Enabled")).lower() == "true"):  # setting the current value is an error
        stack.call("dynamodb", "update_time_to_live", TableName=name, TimeToLiveSpecification=wanted)


def _keys(description: Json) -> dict[str, Json]:
    def schema(of: Json) -> list[tuple[str, str]]:
        return sorted((key["AttributeName"], key["KeyType"]) for key in of["KeySchema"])

    indexes = [*description.get("GlobalSecondaryIndexes", []), *description.get("LocalSecondaryIndexes", [])]
    return {"": schema(description)} | {index["IndexName"]: schema(index) for index in indexes}
