"""Starts and describes executions of the state machine."""

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from music_streams.aws.clients import error_code
from music_streams.aws.logs import of_execution
from music_streams.state.run_files import RunFolder
from music_streams.state.sources import execution_name

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

log = logging.getLogger(__name__)

ALIVE = {"RUNNING", "PENDING_REDRIVE"}
"""The statuses of an execution that has not ended."""


@dataclass(frozen=True)
class Executions:
    """The executions of one state machine."""

    step_functions: "SFNClient"
    state_machine_arn: str

    def arn(self, batch_id: str, attempt: int) -> str:
        """Return the ARN of the execution of a batch's attempt, whether or not it was started."""
        prefix = self.state_machine_arn.replace(":stateMachine:", ":execution:")
        return f"{prefix}:{execution_name(batch_id, attempt)}"

    def start(self, folder: RunFolder, attempt: int) -> None:
        """Start the execution of an attempt; idempotent, because the name identifies it while it runs and later."""
        name = execution_name(folder.batch_id, attempt)
        try:
            self.step_functions.start_execution(
                stateMachineArn=self.state_machine_arn, name=name, input=json.dumps({"manifest": folder.manifest_uri})
            )
        except ClientError as error:
            if error_code(error) != "ExecutionAlreadyExists":
                raise
            log.info("execution %s was started before and has ended", name, extra=of_execution(name))

    def status(self, arn: str) -> str:
        """Return RUNNING, SUCCEEDED or another status; '' if it was never started or ended over 90 days ago."""
        try:
            return str(self.step_functions.describe_execution(executionArn=arn)["status"])
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return ""
            raise

    def running(self) -> list[str]:
        """Return the names of the running executions."""
        pages = self.step_functions.get_paginator("list_executions")
        listed = pages.paginate(stateMachineArn=self.state_machine_arn, statusFilter="RUNNING")
        return [execution["name"] for page in listed for execution in page["executions"]]

    def is_alive(self, arn: str) -> bool:
        """Return whether the execution has not ended."""
        return self.status(arn) in ALIVE
