"""claim: claims the sources of a manifest for the execution."""

from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams.aws import clients, function, logs
from music_streams.aws.slices import time_check
from music_streams.run.claim import claim_sources
from music_streams.state.ledger import Ledger
from music_streams.state.sizing import Bounds


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    transform_least_workers: int
    transform_most_workers: int


claim = function.start(Settings)
s3 = clients.client("s3")
ledger = Ledger(claim.env.files_table, telemetry=claim.telemetry)
bounds = Bounds(claim.env.transform_least_workers, claim.env.transform_most_workers)


@claim.logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest, execution_arn}`` → ``{left, has_work, forgets, workers}``."""
    with claim.invocation(**logs.of_execution(event["execution_arn"])):
        result = claim_sources(s3, ledger, event["manifest"], event["execution_arn"], time_check(context), bounds)
        claimed = asdict(result)
        claim.logger.info("sources claimed", **claimed)
    return claimed
