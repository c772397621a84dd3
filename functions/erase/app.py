"""erase: the lines of users to be forgotten leave the kept files."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams import aws, settings
from music_streams.erasure import Erasure
from music_streams.ledger import Ledger
from music_streams.slices import has_time


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str


env = settings.read(Settings, os.environ)
logger = Logger()
erasure = Erasure(aws.client("s3"), Ledger(env.files_table))


@logger.inject_lambda_context
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest}`` → ``{left}``."""
    left = erasure.erase(event["manifest"], has_time(context))
    logger.info("files cleared", left=left, manifest=event["manifest"])
    return {"left": left}
