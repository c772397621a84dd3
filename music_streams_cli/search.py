"""Search for files by source_id or its beginning, key, name, batch or execution."""

import logging
import re
from collections.abc import Callable, Iterable

from boto3.dynamodb.conditions import Attr, ConditionBase
from botocore.exceptions import ClientError

from music_streams import display
from music_streams.aws.clients import is_gone
from music_streams.errors import DamagedObject
from music_streams.operate import files
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.run_files import RunFolder, read_manifest
from music_streams.state.sources import ID_DIGITS, Source
from music_streams_cli.errors import BadUsage

log = logging.getLogger(__name__)

_FEWEST_DIGITS = 4  # of the beginning of an id; fewer would match by accident
_MOST_LISTED = 10  # files of one name


def find_entries(stack: Stack, text: str, *, loosely: bool = True) -> list[Entry]:
    """Return the matching entries, the last received first.

    A full id is looked up; unless `loosely`, files with that name match too. Any other text is searched in the whole
    ledger: as key, name or the beginning of an id; otherwise as the end of a key; otherwise, if `loosely`, as a part of
    a key.

    Raises:
        BadUsage: the text is blank.
    """
    wanted = _bare(stack, text)
    if not wanted:
        raise BadUsage("SOURCE is empty", next_steps=["music-streams status     lists files"])
    if re.fullmatch(rf"[0-9a-f]{{{ID_DIGITS}}}", wanted):
        return [*_by_id(stack, wanted), *([] if loosely else _named(stack, text.strip()))]
    matching: ConditionBase = Attr("key").contains(wanted)
    if is_id := re.fullmatch(rf"[0-9a-f]{{{_FEWEST_DIGITS},{ID_DIGITS}}}", wanted):
        matching |= Attr("source_id").begins_with(wanted) | Attr("batch_id").begins_with(wanted)
    matches = list(stack.ledger.search(matching))
    exact = [entry for entry in matches if wanted in {entry.source.key, entry.source.name}]
    ending = [entry for entry in matches if entry.source.key.endswith("/" + wanted)]
    by_id = [entry for entry in matches if is_id and wanted not in entry.source.key]
    # Producers choose names: a name that looks like the id of another file must not hide that file.
    best = [*exact, *by_id] or ending or (matches if loosely else [])
    return sorted(best, key=lambda e: (e in by_id, e.source.received_at, e.source.source_id), reverse=True)


def choose(stack: Stack, texts: Iterable[str], fits: Callable[[Entry], bool]) -> list[Entry]:
    """Return the entries to act on: each text must name one entry, or a batch.

    Args:
        stack: the stack whose ledger is searched.
        texts: texts for :func:`find_entries`, which does not search loosely.
        fits: whether the operation applies to an entry; of several with one name, those are preferred.

    Raises:
        BadUsage: a text matches nothing, or several entries that fit.
    """
    chosen: dict[str, Entry] = {}
    for text in texts:
        entries = find_entries(stack, text, loosely=False)
        if not entries:
            raise unknown(stack, text)
        chosen |= {entry.source.source_id: entry for entry in _unambiguous(stack, text, entries, fits)}
    return list(chosen.values())


def find_landed(stack: Stack, text: str) -> Source | None:
    """Return the newest file with that key, name or source_id that is not in the ledger yet."""
    wanted = _bare(stack, text)
    sources = [source for source in files.landed(stack) if wanted in {source.key, source.name, source.source_id}]
    return max(sources, key=lambda source: source.received_at, default=None)


def unknown(stack: Stack, text: str) -> BadUsage:
    """Return the error for a text that matches no ledger entry."""
    if landed := find_landed(stack, text):
        seconds = display.span(display.age(landed.received_at))
        return BadUsage(
            f"{text} landed {seconds} ago and is not processed yet",
            next_steps=["music-streams status --watch", "music-streams redrive     if it takes minutes"],
        )
    return BadUsage(
        f"no file or batch matches {text}",
        details=[
            f"searched the ledger of {stack.where}: source_id, batch_id, key, name, and their beginnings",
            f"and in s3://{stack.landing_bucket}/",
        ],
        next_steps=["music-streams status --limit 100     lists files"],
    )


def _unambiguous(stack: Stack, text: str, entries: list[Entry], fits: Callable[[Entry], bool]) -> list[Entry]:
    wanted = _bare(stack, text)
    if all(entry.batch_id.startswith(wanted) for entry in entries):
        return entries
    fitting = [entry for entry in entries if fits(entry)] or entries[:1]
    if len(fitting) == 1:
        return fitting
    raise BadUsage(
        f"{text} matches {len(fitting)} files; name one by its source_id",
        details=[
            f"{entry.source.source_id}  {entry.source.received_at}  {entry.status}  {entry.source.key}"
            for entry in fitting[:_MOST_LISTED]
        ],
    )


def _named(stack: Stack, text: str) -> list[Entry]:
    """Return the files whose name is this text, which looks like an id or an execution."""
    return [entry for entry in stack.ledger.search(Attr("key").contains(text)) if entry.source.name == text]


def _by_id(stack: Stack, wanted: str) -> list[Entry]:
    entry = stack.ledger.entry(wanted)
    if entry:
        return [entry]
    try:
        source_ids = read_manifest(stack.s3, RunFolder(stack.lake_bucket, wanted)).source_ids
    except DamagedObject as error:
        log.warning("%s", error)
    except ClientError as error:
        if not is_gone(error):
            raise
    else:
        return sorted(stack.ledger.entries(source_ids).values(), key=lambda entry: entry.source.key)
    return list(stack.ledger.search(Attr("batch_id").eq(wanted)))  # the folder of the run has expired


def _bare(stack: Stack, text: str) -> str:
    """Return the text without the bucket of an S3 URI, or the ARN and attempt of an execution."""
    text = text.strip().removeprefix(f"s3://{stack.landing_bucket}/")
    execution = re.fullmatch(rf"(?:arn:[^/]*:)?([0-9a-f]{{{ID_DIGITS}}})-[0-9]+", text)  # not a key that only ends so
    return execution[1] if execution else text
