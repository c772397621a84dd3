"""Changes to a deployed Glue job."""

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
    """Change default arguments of a job; `output` is the template's output with its name."""
    glue, job_name = stack.client("glue"), stack.outputs[output]
    job: dict[str, Any] = glue.get_job(JobName=job_name)["Job"]
    update = {name: job[name] for name in _KEPT if name in job}
    glue.update_job(
        JobName=job_name, JobUpdate={**update, "DefaultArguments": {**job["DefaultArguments"], **arguments}}
    )
