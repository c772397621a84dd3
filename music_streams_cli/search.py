"""Which files somebody means: by source_id or its beginning, key, name, batch or execution."""

import json
import re

from boto3.dynamodb.conditions import Attr, ConditionBase

from music_streams.aws import error_code
from music_streams.ledger import Entry
from music_streams.runs import RunFolder
from music_streams.sources import ID_DIGITS
from music_streams_cli.files import name_of
from music_streams_cli.stack import Stack

_FEWEST_DIGITS = 4  # of the beginning of an id; fewer would match by accident


def find_entries(stack: Stack, text: str) -> list[Entry]:
    """The entries that are meant, the last received first; empty where there is none.

    Whole ids are looked up. Anything else is searched for in the whole ledger.
    """
    wanted = _bare(stack, text)
    if re.fullmatch(rf"[0-9a-f]{{{ID_DIGITS}}}", wanted):
        return _by_id(stack, wanted)
    matching: ConditionBase = Attr("key").contains(wanted)
    if re.fullmatch(rf"[0-9a-f]{{{_FEWEST_DIGITS},{ID_DIGITS}}}", wanted):
        matching |= Attr("source_id").begins_with(wanted) | Attr("batch_id").begins_with(wanted)
    found = list(stack.ledger.search(matching))
    exact = [entry for entry in found if wanted in {entry.source.key, name_of(entry)}]
    exact = exact or [entry for entry in found if entry.source.key.endswith("/" + wanted)]
    return sorted(exact or found, key=lambda entry: (entry.source.received_at, entry.source.source_id), reverse=True)


def _by_id(stack: Stack, wanted: str) -> list[Entry]:
    entry = stack.ledger.entry(wanted)
    if entry:
        return [entry]
    manifest_key = RunFolder(stack.lake_bucket, wanted).key("manifest.json")
    try:
        body = stack.s3.get_object(Bucket=stack.lake_bucket, Key=manifest_key)["Body"].read()
    except stack.s3.exceptions.ClientError as error:
        if error_code(error) not in {"NoSuchKey", "404"}:
            raise
        # Runs' folders expire; the ledger remembers.
        return list(stack.ledger.search(Attr("batch_id").eq(wanted)))
    entries = stack.ledger.entries(source["source_id"] for source in json.loads(body)["sources"])
    return sorted(entries.values(), key=lambda entry: entry.source.key)


def _bare(stack: Stack, text: str) -> str:
    """The text without what is around it: an S3 URI's bucket, an execution's ARN and attempt."""
    text = text.removeprefix(f"s3://{stack.landing_bucket}/")
    execution = re.search(rf"([0-9a-f]{{{ID_DIGITS}}})-\d+$", text)
    return execution[1] if execution else text
