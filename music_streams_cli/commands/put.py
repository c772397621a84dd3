"""`music-streams put`: upload files and wait for their metrics."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from music_streams import display, policy
from music_streams.operate.files import STREAMS_PREFIX, as_json
from music_streams.stack import Stack, find_stack
from music_streams.state.object_keys import Kind
from music_streams_cli import journey, options, output, results
from music_streams_cli.errors import BadData, BadUsage
from music_streams_cli.journey import Journey
from music_streams_cli.registry import command

_ONE_PUT_BYTES = 5 * 1024**3  # the limit of S3 for one PutObject
_PARALLEL_UPLOADS = 4
_STAGES = ("judged", "started", "published")  # codespell:ignore judged - a key of the JSON output


class Reference(StrEnum):
    """The kinds of reference data."""

    SONGS = Kind.SONGS
    USERS = Kind.USERS


@command(
    "put",
    "Upload files, wait for their metrics.",
    "music-streams put streams_2024-06-25.csv",
    "music-streams put *.csv --key 2024/06/",
    "music-streams put songs.csv --reference songs",
)
def put(
    files: Annotated[list[Path], options.argument("FILE", "CSV files, plain or gzip.")],
    key: Annotated[
        str | None, options.unset("KEY", "The object's key under incoming/, for one file; or a PREFIX/ for several.")
    ] = None,
    reference: Annotated[
        Reference | None,
        typer.Option(help="The files are reference data, used by every later run.", show_default=False),
    ] = None,
    wait: options.Wait = True,
    timeout: options.Timeout = policy.COMMAND_WAIT_SECONDS,
    quiet: options.Quiet = False,
    as_json_text: options.Json = False,
    stack_name: options.StackName = None,
) -> None:
    """Upload files and wait until their metrics are published.

    Exit code: 0 all published; 1 some quarantined or failed; 2 wrong usage; 3 no pipeline; 4 timeout.
    """
    keys = _keys(files, key, reference)
    stack = find_stack(stack_name)
    progress = output.stderr(quiet=quiet)
    output.show(progress, f"to {stack.where}, bucket {stack.landing_bucket}")
    journeys = _upload(stack, keys)
    if not wait:
        _say_uploaded(keys, journeys, as_json_text=as_json_text, quiet=quiet)
        return
    journey.follow(stack.ledger, journeys, progress, timeout, journey.SETTLED)
    if as_json_text:
        output.show_json(_result(journeys))
    else:
        _say_result(stack, journeys)
    if any(upload.entry and upload.entry.status in results.UNSUCCESSFUL for upload in journeys):
        raise typer.Exit(BadData.exit_code)


def _keys(files: list[Path], key: str | None, reference: Reference | None) -> dict[str, Path]:
    """Return the files by object key. Raises BadUsage if one cannot be read, or two would have the same key."""
    for file in files:
        _check_readable(file)
    if reference and key:
        raise BadUsage("--key and --reference exclude each other: reference data have a fixed prefix")
    if reference:
        odd = [file.name for file in files if not file.name.endswith(".csv")]
        if odd:
            raise BadUsage(
                f"{odd[0]} is not named .csv, as reference data must be", next_steps=["rename or decompress it"]
            )
        prefix = f"reference/{reference}/"
    else:
        prefix = STREAMS_PREFIX
    if key and not key.endswith("/"):
        if len(files) > 1:
            raise BadUsage(
                f"--key {key} is the key of one file, and there are {len(files)} files",
                next_steps=[f"--key {key}/     uses it as the prefix of all files"],
            )
        return {prefix + key.removeprefix(STREAMS_PREFIX): files[0]}
    folder = prefix + (key or "").removeprefix(STREAMS_PREFIX)
    twice = [name for name, count in Counter(file.name for file in files).items() if count > 1]
    if twice:
        raise BadUsage(f"two files are named {twice[0]}: put them one at a time, each with its own --key")
    return {folder + file.name: file for file in files}


def _check_readable(file: Path) -> None:
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
    except OSError as error:
        raise BadUsage(
            f"{file} cannot be read: {error.strerror}", details=[f"current directory: {Path.cwd()}"]
        ) from error
    if size > _ONE_PUT_BYTES:
        raise BadUsage(f"{file} is larger than 5 GiB, the limit of S3 for one upload: split it")


def _upload(stack: Stack, keys: dict[str, Path]) -> list[Journey]:
    first, *others = keys.items()
    journeys = [journey.put(stack, *first)]  # first: it creates the client, which is not thread-safe
    with ThreadPoolExecutor(_PARALLEL_UPLOADS) as pool:
        return journeys + list(pool.map(lambda item: journey.put(stack, *item), others))


def _say_uploaded(keys: dict[str, Path], journeys: list[Journey], *, as_json_text: bool, quiet: bool) -> None:
    pairs = list(zip(keys, journeys, strict=True))
    if as_json_text:
        output.show_json({"uploaded": [{"key": key, "source_id": upload.source_id} for key, upload in pairs]})
        return
    for key, upload in pairs:
        output.show(output.stdout(), f"put  {key}  {upload.source_id}")
    if not quiet:
        output.show(output.stderr(), "next: music-streams status --watch")


def _result(journeys: list[Journey]) -> dict[str, Any]:
    entries = [upload.entry for upload in journeys if upload.entry]
    return {
        "files": [as_json(entry) for entry in entries],
        "rows_read": sum(entry.rows_read for entry in entries),
        "rows_accepted": sum(entry.rows_accepted for entry in entries),
        "rejected": dict(results.rejected(entries)),
        "days": sorted({day for entry in entries for day in entry.days}),
        "seconds": {upload.source_id: stages(upload) for upload in journeys},
    }


def stages(upload: Journey) -> dict[str, float]:
    """Return the seconds that a file spent in each stage, from its PUT."""
    entry = upload.entry
    if entry is None:
        return {}
    spent: dict[str, float] = {}
    before = 0.0
    for name, timestamp in (
        ("judged", entry.validated_at),  # codespell:ignore judged - a key of the JSON output
        ("started", entry.started_at),
        ("published", entry.published_at),
        ("archived", entry.archived_at),
    ):
        until = upload.seconds_until(timestamp)
        if until is not None:
            spent[name] = round(until - before, 1)
            before = until
    return spent


def _say_result(stack: Stack, journeys: list[Journey]) -> None:
    console = output.stdout()
    result, entries = _result(journeys), [upload.entry for upload in journeys if upload.entry]
    columns = ("file", "status", "read", "accepted", "rejected", "validated", "started", "published")
    table = output.table(*columns, right=columns[2:], elastic="file")
    for upload in journeys:
        if entry := upload.entry:
            spent = stages(upload)
            times = (display.seconds(spent.get(name)) for name in _STAGES)
            status = journey.styled_status(entry.status)
            table.add_row(output.name(upload.name), status, *results.numbers(entry), *times)
    output.show(console, "", table, "")
    if any(map(results.has_rows, entries)):
        rejected = result["rows_read"] - result["rows_accepted"]
        why = f" ({display.counts(result['rejected'])})" if rejected else ""
        output.show(
            console,
            f"rows read {result['rows_read']:,} = accepted {result['rows_accepted']:,} + rejected {rejected:,}{why}",
        )
    if any(entry.published_at and not entry.source.kind.is_reference for entry in entries):
        output.show(console, f"days changed: {display.days(result['days']) or 'none'}")
    if any(entry.published_at and entry.source.kind.is_reference for entry in entries):
        output.show(console, "reference data: used by every later run")
    if result["rejected"].get("unknown_track"):
        output.show(
            console,
            "unknown_track: no songs file contains the track; these rows are parked until one does: "
            "music-streams put SONGS.csv --reference songs. Airflow then replays the file; to do it at once: "
            "music-streams replay",
        )
    for entry in entries:
        if entry.status in results.UNSUCCESSFUL:
            output.show(console, *results.problem(stack, entry))
