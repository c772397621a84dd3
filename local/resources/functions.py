"""Lambda functions, their event source mappings and asynchronous settings."""

import contextlib

from botocore.exceptions import ClientError

from local.aws import code_of
from local.errors import TemplateError
from local.resources.base import (
    NO_BILLING,
    NO_ENCRYPTION,
    NO_PERMISSIONS,
    NO_TRACES,
    ONE_LOG,
    Physical,
    Resource,
    Stack,
    resource_type,
)

_CONFIGURATION = ("Description", "Environment", "Handler", "MemorySize", "Role", "Runtime", "Timeout")
_DESTINATIONS = {"sns", "sqs"}


@resource_type(
    "AWS::Lambda::Function",
    supported={"Code", "FunctionName", "PackageType", "ReservedConcurrentExecutions", *_CONFIGURATION},
    ignored={
        "functions run on this machine": {"Architectures", "EphemeralStorage", "RuntimeManagementConfig"},
        NO_ENCRYPTION: {"KmsKeyArn"},
        ONE_LOG: {"LoggingConfig"},
        "a loop shows in the log": {"RecursiveLoop"},
        NO_BILLING: {"Tags"},
        NO_TRACES: {"TracingConfig"},
        "there are no networks here": {"VpcConfig"},
    },
)
def function(stack: Stack, resource: Resource) -> Physical:
    """Create or update the function; new code or settings take effect at the next invocation."""
    runtime = str(resource.properties.get("Runtime", ""))
    if not runtime.startswith("python"):
        raise resource.unsupported(f"Runtime {runtime or '(none)'}: handlers run on this machine's Python")
    if resource.properties.get("PackageType", "Zip") != "Zip":
        raise resource.unsupported("PackageType other than Zip")
    code = resource.properties["Code"]
    if not {"S3Bucket", "S3Key"}.issuperset(code):
        raise resource.unsupported(f"Code.{', '.join(code)}: use CodeUri")
    name = stack.physical_name(resource, "FunctionName")
    # If the template has no Environment, an earlier one must be removed.
    settings = {"Environment": {"Variables": {}}, **resource.chosen(*_CONFIGURATION)}
    if stack.found("lambda", "get_function", "ResourceNotFoundException", FunctionName=name):
        stack.call("lambda", "update_function_code", FunctionName=name, **code)
        stack.call("lambda", "update_function_configuration", FunctionName=name, **settings)
    else:
        stack.call("lambda", "create_function", FunctionName=name, Code=code, **settings)
    reserved = resource.properties.get("ReservedConcurrentExecutions")
    if reserved is not None:
        stack.call("lambda", "put_function_concurrency", FunctionName=name, ReservedConcurrentExecutions=reserved)
    else:
        stack.call("lambda", "delete_function_concurrency", FunctionName=name)
    return Physical(name, {"Arn": stack.arn("lambda", f"function:{name}")})


@resource_type(
    "AWS::Lambda::Permission",
    ignored={NO_PERMISSIONS: {"Action", "EventSourceToken", "FunctionName", "Principal", "SourceAccount", "SourceArn"}},
)
def permission(stack: Stack, resource: Resource) -> Physical:  # noqa: ARG001  signature of Create
    """Do nothing: permissions are not enforced here."""
    return Physical(resource.logical_id)


@resource_type(
    "AWS::Lambda::EventInvokeConfig",
    supported={"DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier"},
)
def event_invoke_config(stack: Stack, resource: Resource) -> Physical:
    """Set how asynchronous invocations are retried and where their results are sent."""
    if resource.properties.get("Qualifier", "$LATEST") != "$LATEST":
        raise resource.unsupported("Qualifier other than $LATEST")
    for outcome, destination in resource.properties.get("DestinationConfig", {}).items():
        if destination and destination["Destination"].split(":")[2] not in _DESTINATIONS:
            raise resource.unsupported(f"DestinationConfig.{outcome} to {destination['Destination']}")
    name = resource.properties["FunctionName"]
    # moto would append a second configuration and keep answering with the first.
    with contextlib.suppress(ClientError):
        stack.call("lambda", "delete_function_event_invoke_config", FunctionName=name)
    settings = resource.chosen("DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts")
    stack.call("lambda", "put_function_event_invoke_config", FunctionName=name, **settings)
    return Physical(resource.logical_id)


@resource_type(
    "AWS::Lambda::EventSourceMapping",
    supported={
        "BatchSize",
        "Enabled",
        "EventSourceArn",
        "FunctionName",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "ScalingConfig",
    },
    ignored={NO_ENCRYPTION: {"KmsKeyArn"}, NO_BILLING: {"MetricsConfig", "Tags"}},
)
def event_source_mapping(stack: Stack, resource: Resource) -> Physical:
    """Connect a queue to a function; check the limits of AWS that moto does not check."""
    source = str(resource.properties["EventSourceArn"])
    if source.split(":")[2] != "sqs":
        raise resource.unsupported(f"event sources of {source.split(':')[2]}")
    _check_limits(stack, resource, source)
    settings = {
        "Enabled": True,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "ScalingConfig": {},
        "FunctionResponseTypes": [],
        **resource.chosen(
            "BatchSize", "Enabled", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "ScalingConfig"
        ),
    }
    name = resource.properties["FunctionName"]
    ends = {"EventSourceArn": source, "FunctionName": name}
    present = stack.call("lambda", "list_event_source_mappings", **ends)
    if present["EventSourceMappings"]:
        identifier = str(present["EventSourceMappings"][0]["UUID"])
        stack.call("lambda", "update_event_source_mapping", UUID=identifier, **settings)
    else:
        identifier = str(stack.call("lambda", "create_event_source_mapping", **ends, **settings)["UUID"])
    return Physical(identifier, {"Id": identifier})


def _check_limits(stack: Stack, resource: Resource, source: str) -> None:
    label = f"{resource.logical_id} ({resource.type})"
    batch_size = int(resource.properties.get("BatchSize", 10))
    window = int(resource.properties.get("MaximumBatchingWindowInSeconds", 0))
    concurrency = resource.properties.get("ScalingConfig", {}).get("MaximumConcurrency")
    if not 1 <= batch_size <= 10_000:
        raise TemplateError(f"{label}: AWS accepts a BatchSize of 1 to 10000, not {batch_size}")
    if not 0 <= window <= 300:
        raise TemplateError(f"{label}: AWS accepts a MaximumBatchingWindowInSeconds of 0 to 300, not {window}")
    if batch_size > 10 and window < 1:
        raise TemplateError(f"{label}: AWS needs a MaximumBatchingWindowInSeconds of 1 or more for BatchSizes over 10")
    if concurrency is not None and not 2 <= int(concurrency) <= 1000:
        raise TemplateError(f"{label}: AWS accepts a MaximumConcurrency of 2 to 1000, not {concurrency}")
    url = stack.call("sqs", "get_queue_url", QueueName=source.rsplit(":", maxsplit=1)[-1])["QueueUrl"]
    attributes = stack.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    visibility = int(attributes["Attributes"]["VisibilityTimeout"])
    name = resource.properties["FunctionName"]
    try:
        configuration = stack.call("lambda", "get_function_configuration", FunctionName=name)
    except ClientError as error:
        raise TemplateError(f"{label}: {code_of(error)} for function {name}") from error
    if visibility < configuration["Timeout"]:
        raise TemplateError(
            f"{label}: AWS refuses a queue whose visibility timeout ({visibility} s) is less than "
            f"the function's timeout ({configuration['Timeout']} s)"
        )
