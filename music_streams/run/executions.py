"""Executions of the state machine: started by name once, and looked up."""

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
"""Statuses of an execution that may still do something."""


@dataclass(frozen=True)
class Executions:
    """The executions of one state machine."""

    step_functions: "SFNClient"
    state_machine_arn: str

    def arn(self, batch_id: str, attempt: int) -> str:
        """The ARN of an attempt at a batch, whether or not it was made."""
        prefix = self.state_machine_arn.replace(":stateMachine:", ":execution:")
        return f"{prefix}:{execution_name(batch_id, attempt)}"

    def start(self, folder: RunFolder, attempt: int) -> None:
        """Start an attempt. While it runs the same name and input is the same execution, and after it is known."""
        name = execution_name(folder.batch_id, attempt)
        try:
            self.step_functions.start_execution(
                stateMachineArn=self.state_machine_arn, name=name, input=json.dumps({"manifest": folder.manifest_uri})
            )
        except ClientError as error:
            if error_code(error) != "ExecutionAlreadyExists":
                raise
            log.info("execution %s has ended already", name, extra=of_execution(name))

    def status(self, arn: str) -> str:
        """RUNNING, SUCCEEDED and so on; '' where it was never started, or ended over 90 days ago."""
        try:
            return str(self.step_functions.describe_execution(executionArn=arn)["status"])
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return ""
            raise

    def running(self) -> list[str]:
        """The names of those that run."""
        pages = self.step_functions.get_paginator("list_executions")
        listed = pages.paginate(stateMachineArn=self.state_machine_arn, statusFilter="RUNNING")
        return [each["name"] for page in listed for each in page["executions"]]

    def is_alive(self, arn: str) -> bool:
        """Whether it may still do something."""
        return self.status(arn) in ALIVE
