"""Functions, state machines and jobs: each has a timeout, a log, and a destination for what it failed to process."""

from collections.abc import Iterator

from tests.template import Template, of_type, target
from tests.unit.template.faults import MACHINE, drop, finds, put
from tests.unit.template.rules.queues import failure_destinations, rule_targets, scheduled_rules

OLDEST_PYTHON = (3, 12)


@finds(put("ArchiveFunction/Runtime", "python3.9"), "ArchiveFunction")
def every_function_has_a_timeout_and_a_supported_python(template: Template) -> Iterator[str]:
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        runtime = str(function.get("Runtime"))
        if not runtime.startswith("python") or tuple(map(int, runtime[6:].split("."))) < OLDEST_PYTHON:
            yield f"{name}: Runtime {runtime}"
        if "Timeout" not in function:
            yield f"{name}: no Timeout"


@finds(drop(f"{MACHINE}/TimeoutSeconds"), "ProcessStreams")
def every_machine_has_a_timeout_and_writes_a_log(template: Template) -> Iterator[str]:
    for name, machine in of_type(template, "AWS::StepFunctions::StateMachine").items():
        if "TimeoutSeconds" not in machine["Definition"]:
            yield f"{name}: no TimeoutSeconds, so it may run forever"
        logging = machine.get("LoggingConfiguration", {})
        if logging.get("Level", "OFF") == "OFF" or not logging.get("Destinations"):
            yield f"{name}: writes no log"


@finds(drop("TransformJob/Timeout"), "TransformJob")
@finds(put("LoadJob/MaxRetries", 1), "LoadJob")
def every_job_has_a_timeout_and_leaves_retries_to_the_machine(template: Template) -> Iterator[str]:
    for name, job in of_type(template, "AWS::Glue::Job").items():
        if "Timeout" not in job:
            yield f"{name}: no Timeout"
        if job.get("MaxRetries") != 0:
            yield f"{name}: MaxRetries is not 0, so a retry could run concurrently with the machine's"
        if "MaxConcurrentRuns" not in job.get("ExecutionProperty", {}):
            yield f"{name}: no MaxConcurrentRuns, so only one run at a time"


@finds(drop("MaintainTrigger/StartOnCreation"), "MaintainJob: nothing starts it")
@finds(put("MaintainJob/ExecutionProperty/MaxConcurrentRuns", 2), "MaintainJob: two concurrent runs")
def every_job_outside_the_machines_has_a_schedule_and_one_run_at_a_time(template: Template) -> Iterator[str]:
    machine_jobs = called_by_machines(template)
    started = {
        target(action["JobName"])
        for trigger in of_type(template, "AWS::Glue::Trigger").values()
        if trigger["Type"] == "SCHEDULED" and trigger.get("StartOnCreation") is True
        for action in trigger["Actions"]
    }
    for name, job in of_type(template, "AWS::Glue::Job").items():
        if name not in machine_jobs and name not in started:
            yield f"{name}: nothing starts it"
        if name not in machine_jobs and job.get("ExecutionProperty", {}).get("MaxConcurrentRuns") != 1:
            yield f"{name}: two concurrent runs would do the same work"


def called_by_machines(template: Template) -> set[str]:
    """Return the functions and jobs that state machines call and wait for."""
    return {
        target(value)
        for machine in of_type(template, "AWS::StepFunctions::StateMachine").values()
        for value in machine["DefinitionSubstitutions"].values()
    }


@finds(drop("FunctionLogs/RetentionInDays"), "FunctionLogs")
def every_log_group_expires_and_every_function_has_one(template: Template) -> Iterator[str]:
    groups = of_type(template, "AWS::Logs::LogGroup")
    for name, group in groups.items():
        if "RetentionInDays" not in group:
            yield f"{name}: no RetentionInDays, so its logs never expire"
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        # Otherwise Lambda creates a log group that never expires.
        if target(function.get("LoggingConfig", {}).get("LogGroup", "")) not in groups:
            yield f"{name}: logs to no group of the template"


@finds(drop("RecordFailureFunction/EventInvokeConfig/DestinationConfig"), "RecordFailureFunction")
def functions_invoked_by_events_have_a_destination_for_failures(template: Template) -> Iterator[str]:
    functions, destinations = of_type(template, "AWS::Lambda::Function"), failure_destinations(template)
    for rule, each in rule_targets(template):
        function = target(each["Arn"])
        if function in functions and function not in destinations and rule not in scheduled_rules(template):
            yield f"{function}: an event of {rule} that it fails to process is lost"
