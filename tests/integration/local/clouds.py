"""A running cloud for tests."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from local.aws import Aws
from local.credentials import Credentials
from local.state import StateDir

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
STACK = HERE / "stack" / "template.yaml"
SPARK_STACK = HERE / "spark_stack" / "template.yaml"
PATIENCE = 240  # seconds, on a busy machine

T = TypeVar("T")


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m local …` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "local", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def eventually(look: Callable[[], T | None]) -> T:
    """Return the first true value of `look`."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing within {PATIENCE} s"
        time.sleep(0.05)
    return found


def zipped(name: str, text: str) -> bytes:
    """Return a zip of one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


class Cloud:
    """A cloud that was started with `up`."""

    def __init__(self, root: Path) -> None:
        self.state = StateDir(root)
        stack = json.loads(self.state.stack_file.read_text())
        assert set(stack) == {"endpoint", "region", "outputs", "access_key_id", "secret_access_key"}
        self.outputs: dict[str, str] = stack["outputs"]
        self.aws = Aws(
            stack["endpoint"], stack["region"], Credentials(stack["access_key_id"], stack["secret_access_key"])
        )

    @classmethod
    def up(cls, root: Path, template: Path, *options: str) -> "Cloud":
        result = command("up", "--state-dir", root, "--template", template, *options)
        assert result.returncode == 0, result.stdout + result.stderr
        return cls(root)

    def down(self) -> None:
        result = command("down", "--state-dir", self.state.root)
        assert result.returncode == 0, result.stdout + result.stderr

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def invoke(self, name: str, event: object, **settings: Any) -> tuple[Any, str | None]:
        """Return a function's response and error."""
        result = self.client("lambda").invoke(FunctionName=self.outputs[name], Payload=json.dumps(event), **settings)
        payload = result["Payload"].read()
        return (json.loads(payload) if payload else None), result.get("FunctionError")

    def notes(self, key: str) -> list[dict[str, Any]]:
        """Return the items that functions wrote under a key."""
        table = self.client("dynamodb")
        answer = table.query(
            TableName=self.outputs["Notes"],
            KeyConditionExpression="pk = :key",
            ExpressionAttributeValues={":key": {"S": key}},
            ConsistentRead=True,
        )
        return [{name: next(iter(value.values())) for name, value in item.items()} for item in answer["Items"]]

    def receive(self, output: str) -> list[Any]:
        """Receive and delete messages of a queue."""
        sqs, url = self.client("sqs"), self.outputs[output]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def messages(self, output: str, count: int, is_wanted: Callable[[Any], bool] | None = None) -> list[Any]:
        """Return `count` wanted messages of a queue and drop the others."""
        collected: list[Any] = []

        def enough() -> bool:
            collected.extend(filter(is_wanted, self.receive(output)))
            return len(collected) >= count

        eventually(enough)
        return collected

    def start(self, output: str, execution_input: object, **settings: Any) -> str:
        """Start an execution and return its ARN."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[output], input=json.dumps(execution_input), **settings
        )
        return str(started["executionArn"])

    def execution(self, arn: str) -> dict[str, Any]:
        return dict(self.client("stepfunctions").describe_execution(executionArn=arn))

    def ended(self, arn: str) -> dict[str, Any]:
        """Wait until an execution has ended and return it."""
        return eventually(lambda: found if (found := self.execution(arn))["status"] != "RUNNING" else None)

    def run_job(self, job: str, **arguments: str) -> str:
        job_arguments = {f"--{name.replace('_', '-')}": value for name, value in arguments.items()}
        return str(self.client("glue").start_job_run(JobName=self.outputs[job], Arguments=job_arguments)["JobRunId"])

    def job_run(self, job: str, run: str) -> dict[str, Any]:
        return dict(self.client("glue").get_job_run(JobName=self.outputs[job], RunId=run)["JobRun"])

    def ended_run(self, job: str, run: str) -> dict[str, Any]:
        """Wait until a job run has ended and return it."""
        not_ended = {"STARTING", "RUNNING", "STOPPING"}
        return eventually(lambda: None if (found := self.job_run(job, run))["JobRunState"] in not_ended else found)

    def keys(self) -> list[str]:
        """Return the keys of the objects in the landing bucket."""
        listed = self.client("s3").list_objects_v2(Bucket=self.outputs["Landing"])
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def put(self, key: str, body: bytes = b"content", **settings: str) -> Any:
        """Put an object into the landing bucket."""
        return self.client("s3").put_object(Bucket=self.outputs["Landing"], Key=key, Body=body, **settings)

    def stop_job(self, job: str, *runs: str) -> dict[str, Any]:
        stopped = self.client("glue").batch_stop_job_run(JobName=self.outputs[job], JobRunIds=runs)
        return {name: [entry["JobRunId"] for entry in stopped[name]] for name in ("SuccessfulSubmissions", "Errors")}

    def object(self, bucket_output: str, key: str) -> Any:
        """Wait for a JSON object and return it."""
        s3 = self.client("s3")

        def look() -> Any:
            try:
                return s3.get_object(Bucket=self.outputs[bucket_output], Key=key)
            except s3.exceptions.NoSuchKey:
                return None

        return json.loads(eventually(look)["Body"].read())
