"""What the processes that run functions and jobs need of their cloud."""

from dataclasses import dataclass
from pathlib import Path

from local.aws import Aws
from local.log import CloudLog


@dataclass(frozen=True)
class Host:
    """What all processes of a cloud share."""

    scratch: Path  # each has a temporary folder of its own in it
    aws: Aws
    marker: str  # by which a process is found again as one of this cloud
    log: CloudLog
