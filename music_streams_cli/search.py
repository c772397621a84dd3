"""Which files somebody means: by source_id or its beginning, key, name, batch or execution."""

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
_MOST_TOLD = 10  # files of one name


def find_entries(stack: Stack, text: str, *, loosely: bool = True) -> list[Entry]:
    """The entries that are meant, the last received first; empty where there is none.

    Whole ids are looked up, and to act on them no file may have that name. Anything else is searched for in the whole
    ledger: key, name or the beginning of an id, else the end of a key, else, where it may be looked for loosely, a part
    of a key.

    Raises:
        BadUsage: the text is blank.
    """
    wanted = _bare(stack, text)
    if not wanted:
        raise BadUsage("SOURCE is empty", next_steps=["music-streams status     lists the files that there are"])
    if re.fullmatch(rf"[0-9a-f]{{{ID_DIGITS}}}", wanted):
        return [*_by_id(stack, wanted), *([] if loosely else _named(stack, text.strip()))]
    matching: ConditionBase = Attr("key").contains(wanted)
    if is_id := re.fullmatch(rf"[0-9a-f]{{{_FEWEST_DIGITS},{ID_DIGITS}}}", wanted):
        matching |= Attr("source_id").begins_with(wanted) | Attr("batch_id").begins_with(wanted)
    found = list(stack.ledger.search(matching))
    exact = [entry for entry in found if wanted in {entry.source.key, entry.source.name}]
    ending = [entry for entry in found if entry.source.key.endswith("/" + wanted)]
    by_id = [entry for entry in found if is_id and wanted not in entry.source.key]
    # Who puts files chooses their names: one that looks like the id of another file stands for neither alone.
    meant = [*exact, *by_id] or ending or (found if loosely else [])
    return sorted(meant, key=lambda e: (e in by_id, e.source.received_at, e.source.source_id), reverse=True)


def choose(stack: Stack, texts: Iterable[str], fits: Callable[[Entry], bool]) -> list[Entry]:
    """The entries that are to be acted on: each text must name one, or a batch.

    Args:
        stack: where to look.
        texts: as :func:`find_entries` takes them, but not loosely.
        fits: whether an entry can be acted on; of several of a name, those are preferred.

    Raises:
        BadUsage: a text names nothing, or several that fit.
    """
    chosen: dict[str, Entry] = {}
    for text in texts:
        entries = find_entries(stack, text, loosely=False)
        if not entries:
            raise unknown(stack, text)
        chosen |= {entry.source.source_id: entry for entry in _meant(stack, text, entries, fits)}
    return list(chosen.values())


def find_landed(stack: Stack, text: str) -> Source | None:
    """The newest file of that key, name or source_id which has landed and is not in the ledger yet."""
    wanted = _bare(stack, text)
    found = [each for each in files.landed(stack) if wanted in {each.key, each.name, each.source_id}]
    return max(found, key=lambda each: each.received_at, default=None)


def unknown(stack: Stack, text: str) -> BadUsage:
    """What to say where nothing is known as that."""
    if landed := find_landed(stack, text):
        seconds = display.span(display.age(landed.received_at))
        return BadUsage(
            f"{text} landed {seconds} ago and is not received yet: its event waits for the batch to fill",
            next_steps=["music-streams status --watch", "music-streams redrive     if that lasts for minutes"],
        )
    return BadUsage(
        f"no file or batch is known as {text}",
        details=[
            f"looked in the ledger of {stack.where}: source_id, batch_id, key, name, and their beginnings",
            f"and in s3://{stack.landing_bucket}/",
        ],
        next_steps=["music-streams status --limit 100     lists the files that there are"],
    )


def _meant(stack: Stack, text: str, entries: list[Entry], fits: Callable[[Entry], bool]) -> list[Entry]:
    wanted = _bare(stack, text)
    if all(entry.batch_id.startswith(wanted) for entry in entries):
        return entries
    fitting = [entry for entry in entries if fits(entry)] or entries[:1]
    if len(fitting) == 1:
        return fitting
    raise BadUsage(
        f"{text} names {len(fitting)} files; say which by its source_id",
        details=[
            f"{entry.source.source_id}  {entry.source.received_at}  {entry.status}  {entry.source.key}"
            for entry in fitting[:_MOST_TOLD]
        ],
    )


def _named(stack: Stack, text: str) -> list[Entry]:
    """The files of a name that looks like an id or an execution: such a text stands for neither alone."""
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
    return list(stack.ledger.search(Attr("batch_id").eq(wanted)))  # runs' folders expire; the ledger remembers


def _bare(stack: Stack, text: str) -> str:
    """The text without what is around it: an S3 URI's bucket, an execution's ARN and attempt."""
    text = text.strip().removeprefix(f"s3://{stack.landing_bucket}/")
    execution = re.fullmatch(rf"(?:arn:[^/]*:)?([0-9a-f]{{{ID_DIGITS}}})-[0-9]+", text)  # a key that ends so is none
    return execution[1] if execution else text
