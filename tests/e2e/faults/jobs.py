"""Change a deployed Glue job, as an operator would."""

from typing import Any

from music_streams.stack import Stack

_KEPT = (
    "Role",
    "Command",
    "ExecutionProperty",
    "GlueVersion",
    "Timeout",
    "WorkerType",
    "NumberOfWorkers",
    "MaxRetries",
)


def change_job(stack: Stack, output: str, arguments: dict[str, str]) -> None:
    """Set default arguments of a job; `output` is the template's output that names it."""
    glue, name = stack.client("glue"), stack.outputs[output]
    job: dict[str, Any] = glue.get_job(JobName=name)["Job"]
    update = {key: job[key] for key in _KEPT if key in job}
    glue.update_job(JobName=name, JobUpdate={**update, "DefaultArguments": {**job["DefaultArguments"], **arguments}})
