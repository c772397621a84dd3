"""Glue jobs, triggers and databases."""

from local.loose_types import Json
from local.resources.base import NO_ALARMS, NO_BILLING, NO_ENCRYPTION, ONE_LOG, Physical, Resource, Stack, resource_type

_DEFINITION = (
    "Command",
    "DefaultArguments",
    "Description",
    "ExecutionClass",
    "ExecutionProperty",
    "GlueVersion",
    "MaxCapacity",
    "MaxRetries",
    "NonOverridableArguments",
    "NumberOfWorkers",
    "Role",
    "Timeout",
    "WorkerType",
)
_KINDS = {"glueetl", "pythonshell"}
_SPARK_3_5 = {"5.0", "5.1"}
# Arguments that change a run's environment, which is not supported here.
_REFUSED_ARGUMENTS = {
    "--additional-python-modules",
    "--extra-files",
    "--extra-jars",
    "--python-modules-installer-option",
    "--user-jars-first",
}


@resource_type(
    "AWS::Glue::Job",
    supported={"Name", "JobRunQueuingEnabled", *_DEFINITION},
    ignored={
        ONE_LOG: {"LogUri"},
        "it applies only to streaming jobs": {"MaintenanceWindow"},
        NO_ALARMS: {"NotificationProperty"},
        NO_ENCRYPTION: {"SecurityConfiguration"},
        NO_BILLING: {"Tags"},
    },
)
def job(stack: Stack, resource: Resource) -> Physical:
    """Create or update a Spark or Python Shell job and keep its runs. Capacity is recorded and has no effect."""
    _check(resource)
    name = stack.physical_name(resource, "Name", 255)
    definition = resource.chosen(*_DEFINITION)
    if stack.found("glue", "get_job", "EntityNotFoundException", JobName=name):
        stack.call("glue", "update_job", JobName=name, JobUpdate=definition)
    else:
        stack.call("glue", "create_job", Name=name, **definition)
    return Physical(name)


def _check(resource: Resource) -> None:
    properties = resource.properties
    kind = properties["Command"].get("Name")
    if kind not in _KINDS:
        raise resource.unsupported(f"Command.Name {kind}")
    version = str(properties.get("GlueVersion", ""))
    if kind == "glueetl" and version not in _SPARK_3_5:
        raise resource.unsupported(f"GlueVersion {version or '(none)'} for Spark: use 5.1")
    if int(properties.get("MaxRetries", 0)) > 0:
        raise resource.unsupported("MaxRetries over 0: retry in the state machine")
    if str(properties.get("JobRunQueuingEnabled", "false")).lower() == "true":
        raise resource.unsupported("JobRunQueuingEnabled")
    arguments: Json = properties.get("DefaultArguments", {}) | properties.get("NonOverridableArguments", {})
    if refused := sorted(_REFUSED_ARGUMENTS.intersection(arguments)):
        raise resource.unsupported(f"the job argument {refused[0]}")
    if arguments.get("--job-bookmark-option", "job-bookmark-disable") != "job-bookmark-disable":
        raise resource.unsupported("job bookmarks")
    if arguments.get("--datalake-formats", "iceberg") != "iceberg":
        raise resource.unsupported(f"--datalake-formats {arguments['--datalake-formats']}: use iceberg")


@resource_type("AWS::Glue::Database", supported={"CatalogId", "DatabaseInput", "DatabaseName"})
def database(stack: Stack, resource: Resource) -> Physical:
    """Create or update a database of the Data Catalog."""
    definition = dict(resource.properties["DatabaseInput"])
    definition.setdefault("Name", stack.physical_name(resource, "DatabaseName", 255).lower())
    name = definition["Name"]
    if stack.found("glue", "get_database", "EntityNotFoundException", Name=name):
        stack.call("glue", "update_database", Name=name, DatabaseInput=definition)
    else:
        stack.call("glue", "create_database", DatabaseInput=definition)
    return Physical(name)


@resource_type(
    "AWS::Glue::Trigger",
    supported={"Actions", "Description", "Name", "Schedule", "StartOnCreation", "Type"},
    ignored={NO_BILLING: {"Tags"}},
)
def trigger(stack: Stack, resource: Resource) -> Physical:
    """Record a scheduled trigger; it never fires here."""
    if resource.properties["Type"] != "SCHEDULED":
        raise resource.unsupported(f"Type {resource.properties['Type']}: use SCHEDULED, which never fires here")
    name = stack.physical_name(resource, "Name", 255)
    definition = resource.chosen("Actions", "Description", "Schedule", "StartOnCreation", "Type")
    if stack.found("glue", "get_trigger", "EntityNotFoundException", Name=name):
        stack.call("glue", "delete_trigger", Name=name)
    stack.call("glue", "create_trigger", Name=name, **definition)
    return Physical(name)
