"""What the processes of functions and jobs need from their cloud."""

from dataclasses import dataclass
from pathlib import Path

from local.aws import Aws
from local.log import CloudLog


@dataclass(frozen=True)
class Host:
    """Settings that all processes of a cloud share."""

    scratch: Path  # contains a temporary folder for each process
    aws: Aws
    marker: str  # identifies the processes of this cloud
    log: CloudLog
