"""archive: published inputs leave ``incoming/``."""

import os
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams import aws, settings
from music_streams.archive import archive_sources
from music_streams.ledger import Ledger
from music_streams.slices import has_time


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str


env = settings.read(Settings, os.environ)
logger = Logger()
s3 = aws.client("s3")
ledger = Ledger(env.files_table)


@logger.inject_lambda_context
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn}`` → ``{left}``."""
    left = archive_sources(s3, ledger, event["manifest"], event["execution_arn"], has_time(context))
    logger.info("sources archived", left=left, manifest=event["manifest"])
    return {"left": left}
