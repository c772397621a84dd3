"""CloudWatch alarms, dashboards and log groups: recorded so that they can be inspected."""

from local.resources.base import NO_ALARMS, NO_BILLING, NO_ENCRYPTION, Physical, Resource, Stack, resource_type

_ALARM = {
    "AlarmDescription",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "MetricName",
    "Metrics",
    "Namespace",
    "Period",
    "Statistic",
    "Threshold",
    "TreatMissingData",
    "Unit",
}


@resource_type(
    "AWS::CloudWatch::Alarm",
    supported={"AlarmName", *_ALARM},
    ignored={
        NO_ALARMS: {"ActionsEnabled", "AlarmActions", "InsufficientDataActions", "OKActions"},
        NO_BILLING: {"Tags"},
    },
)
def alarm(stack: Stack, resource: Resource) -> Physical:
    """Record an alarm; it never fires."""
    name = stack.physical_name(resource, "AlarmName", 255)
    stack.call("cloudwatch", "put_metric_alarm", AlarmName=name, **resource.chosen(*_ALARM))
    return Physical(name, {"Arn": stack.arn("cloudwatch", f"alarm:{name}")})


@resource_type("AWS::CloudWatch::Dashboard", supported={"DashboardBody", "DashboardName"})
def dashboard(stack: Stack, resource: Resource) -> Physical:
    """Record a dashboard's definition."""
    name = stack.physical_name(resource, "DashboardName", 255)
    stack.call("cloudwatch", "put_dashboard", DashboardName=name, DashboardBody=resource.properties["DashboardBody"])
    return Physical(name)


@resource_type(
    "AWS::Logs::LogGroup",
    supported={"LogGroupName", "RetentionInDays"},
    ignored={NO_ENCRYPTION: {"KmsKeyId"}, NO_BILLING: {"LogGroupClass", "Tags"}},
)
def log_group(stack: Stack, resource: Resource) -> Physical:
    """Create a log group and record its retention."""
    name = stack.physical_name(resource, "LogGroupName", 512)
    present = stack.call("logs", "describe_log_groups", logGroupNamePrefix=name)["logGroups"]
    if not any(group["logGroupName"] == name for group in present):
        stack.call("logs", "create_log_group", logGroupName=name)
    if "RetentionInDays" in resource.properties:
        days = resource.properties["RetentionInDays"]
        stack.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=days)
    return Physical(name, {"Arn": stack.arn("logs", f"log-group:{name}:*")})
