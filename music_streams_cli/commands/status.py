"""`music-streams status`: show the pipeline health and the files."""

import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live

from music_streams import clock, display
from music_streams.operate.health import Level
from music_streams.stack import Stack, find_stack
from music_streams.state.statuses import Status
from music_streams_cli import journey, options, output, overview
from music_streams_cli.errors import BadUsage
from music_streams_cli.overview import Choice, Overview
from music_streams_cli.registry import command

_REASON_CHARACTERS = 60
_WATCH_SECONDS = 2.0
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_STYLES = {Level.OK: "green", Level.WORKING: "cyan", Level.ATTENTION: "bold red"}


class ShownStatus(StrEnum):
    """The statuses that can be selected: those of the ledger, and LANDED."""

    LANDED = journey.LANDED
    RECEIVED = Status.RECEIVED
    VALID = Status.VALID
    RUNNING = Status.RUNNING
    PUBLISHED = Status.PUBLISHED
    ARCHIVED = Status.ARCHIVED
    QUARANTINED = Status.QUARANTINED
    FAILED = Status.FAILED
    RETRACTED = Status.RETRACTED


_STATUS_HELP = f"Only files with this status: {', '.join(ShownStatus)}. May be given several times."


@command(
    "status",
    "Show the pipeline health and the files.",
    "music-streams status",
    "music-streams status --watch",
    "music-streams status --status FAILED --status QUARANTINED",
    "music-streams status --since 2h --json",
)
def status(
    selected: Annotated[
        list[ShownStatus] | None, options.unset("STATUS", _STATUS_HELP, "--status", case_sensitive=False)
    ] = None,
    day: Annotated[datetime | None, options.day("--day", "Only files with listens of this UTC day.")] = None,
    since: Annotated[
        str | None,
        options.unset("SPAN", "Only files that changed since: 30m, 2h, 7d, or an ISO 8601 timestamp."),
    ] = None,
    limit: options.FilesListed = 20,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until interrupted.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    stack_name: options.StackName = None,
) -> None:
    """Show the pipeline health, then the files, the last to arrive first.

    Time: from a file's arrival until it was published, quarantined or failed; if none of these, until now.
    """
    choice = Choice(
        tuple(selected or ()), day.date().isoformat() if day else "", _timestamp(since) if since else "", limit
    )
    stack = find_stack(stack_name)
    if as_json:
        current = overview.read(stack, choice)
        output.show_json({"health": current.health.as_json(), "files": [asdict(line) for line in current.lines]})
    elif watch:
        with suppress(KeyboardInterrupt):  # ends --watch
            _watch(stack, choice)
    else:
        output.show(output.stdout(), *_parts(stack, choice, with_hints=not quiet))


def _timestamp(text: str) -> str:
    """Return the timestamp of a time span before now, or of an ISO 8601 text. Raises BadUsage if it is neither."""
    try:
        if text[:-1].isdecimal() and text[-1] in _UNITS:
            return clock.timestamp(datetime.now(UTC) - timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]]))
        instant = clock.parse(text)
    except (ValueError, OverflowError):
        raise BadUsage(
            f"--since {text} is neither a time span nor a timestamp",
            next_steps=["write 30m, 2h, 7d or 2024-06-25T12:00:00Z"],
        ) from None
    return clock.timestamp(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def _watch(stack: Stack, choice: Choice) -> None:
    console = output.stdout()
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, screen=False) as live:
            while True:
                live.update(Group(*_parts(stack, choice, with_hints=False)), refresh=True)
                time.sleep(_WATCH_SECONDS)
    output.show(console, stack.where)
    while True:
        health = overview.read(stack, choice).health
        output.show(console, f"{clock.timestamp(health.now)}  {health.sentence}")
        time.sleep(output.PROGRESS_SECONDS)


def _parts(stack: Stack, choice: Choice, *, with_hints: bool) -> list[RenderableType]:
    current = overview.read(stack, choice)
    health = current.health
    before, level, after = health.sentence.partition(health.level)
    parts: list[RenderableType] = [stack.where, output.styled(before, (level, _STYLES[health.level]), after)]
    if current.lines:
        columns = ["file", "status", "rows", "rejected", "time", *([] if output.is_narrow() else ["arrived"])]
        table = output.table(*columns, right=("rows", "rejected", "time"), elastic="file")
        for line in current.lines:
            rows, rejected = (f"{line.rows_read:,}", f"{line.rejected:,}") if line.rows_read else ("", "")
            status = journey.styled_status(line.state, display.shortened(line.reason, _REASON_CHARACTERS))
            took = display.span(line.seconds(health.now))
            ago = f"{display.span(display.age(line.received_at, health.now))} ago"
            cells: list[RenderableType] = [output.name(line.name), status, rows, rejected, took, ago]
            table.add_row(*cells[: len(columns)])
        parts += ["", table]
    else:
        parts += ["", choice.nothing]
    if with_hints:
        parts += _hints(current)
    return parts


def _hints(current: Overview) -> list[str]:
    hints = []
    if current.is_cut:
        hints.append("for older files: --limit N, --since 7d, --status STATUS")
    unsuccessful = [line for line in current.lines if line.state in {Status.FAILED, Status.QUARANTINED}]
    if unsuccessful:
        unsuccessful.sort(key=lambda line: line.state != Status.FAILED)
        hints.append(
            f"music-streams show {unsuccessful[0].source_id[:8]}     details of {output.name(unsuccessful[0].name)}"
        )
    if current.health.failed:
        hints.append(
            "music-streams redrive --dry-run     lists the files to retry; fix the cause before you retry them"
        )
    if any(line.state == Status.QUARANTINED for line in current.lines):
        hints.append("music-streams quarantine list     shows why, and what to do")
    if current.health.dead_letters:
        hints.append("music-streams dlq list     lists the messages that failed processing")
    return ["", *(f"next: {hint}" for hint in hints)] if hints else []
