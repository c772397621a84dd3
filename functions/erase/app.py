"""erase: erases forgotten users from files in archive/ and quarantine/; deletes a file that cannot be searched."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from music_streams import policy
from music_streams.aws import clients, function
from music_streams.aws.alert_sender import Alerts
from music_streams.aws.slices import time_check
from music_streams.forget.erasure import Erasure
from music_streams.state.ledger import Ledger
from music_streams.state.run_files import RunFolder


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    files_table: str
    alerts_topic_arn: str
    max_file_bytes: int


erase = function.start(Settings)
alerts = Alerts(clients.client("sns"), erase.env.alerts_topic_arn)
erasure = Erasure(clients.client("s3"), Ledger(erase.env.files_table), alerts, erase.env.max_file_bytes)


@erase.logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, str], context: LambdaContext) -> dict[str, Any]:
    """``{manifest}`` → ``{left}``."""
    with erase.invocation(batch_id=RunFolder.of_manifest(event["manifest"]).batch_id):
        search_seconds = context.get_remaining_time_in_millis() / 1000 * policy.ERASE_FILE_SHARE
        left = erasure.erase(event["manifest"], time_check(context), search_seconds)
        erase.logger.info("users erased from files", left=left)
    return {"left": left}
