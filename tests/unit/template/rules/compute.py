"""Functions, machines and jobs: each ends in time, says what it did, and hands on what it could not do."""

from collections.abc import Iterator

from tests.template import Template, of_type, target
from tests.unit.template.faults import MACHINE, drop, finds, put
from tests.unit.template.rules.queues import by_the_clock, failure_destinations, rule_targets

OLDEST_PYTHON = (3, 12)


@finds(put("ArchiveFunction/Runtime", "python3.9"), "ArchiveFunction")
def every_function_has_a_time_out_and_a_supported_python(template: Template) -> Iterator[str]:
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        runtime = str(function.get("Runtime"))
        if not runtime.startswith("python") or tuple(map(int, runtime[6:].split("."))) < OLDEST_PYTHON:
            yield f"{name}: Runtime {runtime}"
        if "Timeout" not in function:
            yield f"{name}: no Timeout"


@finds(drop(f"{MACHINE}/TimeoutSeconds"), "ProcessStreams")
def every_machine_has_a_time_out_and_writes_a_log(template: Template) -> Iterator[str]:
    for name, machine in of_type(template, "AWS::StepFunctions::StateMachine").items():
        if "TimeoutSeconds" not in machine["Definition"]:
            yield f"{name}: may run for ever: no TimeoutSeconds"
        logging = machine.get("LoggingConfiguration", {})
        if logging.get("Level", "OFF") == "OFF" or not logging.get("Destinations"):
            yield f"{name}: writes no log"


@finds(drop("TransformJob/Timeout"), "TransformJob")
@finds(put("LoadJob/MaxRetries", 1), "LoadJob")
def every_job_has_a_time_out_and_leaves_retries_to_the_machine(template: Template) -> Iterator[str]:
    for name, job in of_type(template, "AWS::Glue::Job").items():
        if "Timeout" not in job:
            yield f"{name}: no Timeout"
        if job.get("MaxRetries") != 0:
            yield f"{name}: a retry of its own would run beside the machine's"
        if "MaxConcurrentRuns" not in job.get("ExecutionProperty", {}):
            yield f"{name}: one run at a time only"


@finds(drop("MaintainTrigger/StartOnCreation"), "MaintainJob: nothing starts it")
@finds(put("MaintainJob/ExecutionProperty/MaxConcurrentRuns", 2), "MaintainJob: two runs")
def every_job_that_no_machine_waits_for_runs_by_the_clock_and_alone(template: Template) -> Iterator[str]:
    waited_for = of_machines(template)
    started = {
        target(action["JobName"])
        for trigger in of_type(template, "AWS::Glue::Trigger").values()
        if trigger["Type"] == "SCHEDULED" and trigger.get("StartOnCreation") is True
        for action in trigger["Actions"]
    }
    for name, job in of_type(template, "AWS::Glue::Job").items():
        if name not in waited_for and name not in started:
            yield f"{name}: nothing starts it"
        if name not in waited_for and job.get("ExecutionProperty", {}).get("MaxConcurrentRuns") != 1:
            yield f"{name}: two runs at once would do the same work"


def of_machines(template: Template) -> set[str]:
    """What state machines call and wait for, functions and jobs."""
    return {
        target(value)
        for machine in of_type(template, "AWS::StepFunctions::StateMachine").values()
        for value in machine["DefinitionSubstitutions"].values()
    }


@finds(drop("FunctionLogs/RetentionInDays"), "FunctionLogs")
def every_log_group_forgets_and_every_function_has_one(template: Template) -> Iterator[str]:
    groups = of_type(template, "AWS::Logs::LogGroup")
    for name, group in groups.items():
        if "RetentionInDays" not in group:
            yield f"{name}: keeps its logs for ever"
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        # Lambda would make a group that never forgets.
        if target(function.get("LoggingConfig", {}).get("LogGroup", "")) not in groups:
            yield f"{name}: logs to no group of the template"


@finds(drop("RecordFailureFunction/EventInvokeConfig/DestinationConfig"), "RecordFailureFunction")
def functions_called_by_events_have_a_destination_for_failures(template: Template) -> Iterator[str]:
    functions, destinations = of_type(template, "AWS::Lambda::Function"), failure_destinations(template)
    for rule, each in rule_targets(template):
        function = target(each["Arn"])
        if function in functions and function not in destinations and rule not in by_the_clock(template):
            yield f"{function}: an event of {rule} that it cannot take is lost"
