"""erase: the lines of users to be forgotten leave the kept files."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams import aws, logs, settings
from music_streams.erasure import Erasure
from music_streams.ledger import Ledger
from music_streams.runs import RunFolder
from music_streams.slices import has_time


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str


env = settings.read(Settings, os.environ)
logger = Logger(use_rfc3339=True)
logs.write_by(logger.registered_handler)
erasure = Erasure(aws.client("s3"), Ledger(env.files_table))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest}`` → ``{left}``."""
    logger.append_keys(batch_id=RunFolder.of_manifest(event["manifest"]).batch_id)
    left = erasure.erase(event["manifest"], has_time(context))
    logger.info("files cleared", left=left)
    return {"left": left}
