"""`music-streams logs`: the log of the local cloud."""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from local.log import LINE, concerns, follow
from music_streams.errors import NoPipeline
from music_streams.operate.history import glue_run_ids
from music_streams.stack import Stack, find_stack
from music_streams_cli import local_cloud, options, output
from music_streams_cli.errors import BadUsage, NoCloud
from music_streams_cli.registry import command
from music_streams_cli.search import find_entries

_RUN_CHANGE = re.compile(r"^(?P<run>jr_[0-9a-f]+) (?P<state>[A-Z]+)")
_ENVELOPE = {"level", "location", "message", "timestamp", "service", "cold_start", "xray_trace_id"}
_IN_THE_MESSAGE = {"status", "outcome"}


@command(
    "logs",
    "Show the log of the local cloud.",
    "music-streams logs --follow",
    "music-streams logs --part glue",
    "music-streams logs --file streams_2024-06-25.csv",
    "aws logs tail /aws/lambda/NAME --follow     for a stack on AWS",
)
def logs(
    follow_log: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until interrupted.")] = False,
    file: Annotated[
        str | None, options.unset("FILE", "Only lines about this file: its name, key or source_id.")
    ] = None,
    batch: Annotated[str | None, options.unset("ID", "Only lines about this batch: its batch_id.")] = None,
    part: Annotated[
        str | None, options.unset("PART", "Only this component: lambda, glue, queue, states, events.")
    ] = None,
) -> None:
    """Show the log of all components of the local cloud. For a stack on AWS, see the last example.

    With --file or --batch: the lines that name it, and the log of its job runs. If runs are concurrent, the lines of
    Spark and Python cannot be attributed to one of them.
    """
    path = local_cloud.state().log_file
    if not path.is_file():
        raise NoCloud(f"there is no log at {path}", next_steps=["music-streams up     starts the local cloud"])
    wanted = file or batch
    only = About(wanted, _stack()) if wanted else None
    console = output.stdout()
    is_empty = True
    with suppress(KeyboardInterrupt):  # ends --follow
        for line in follow(path, keep_following=lambda: follow_log):
            if concerns(line, part) and (only is None or only.covers(line)):
                _print(console, line)
                is_empty = False
    if is_empty and wanted:
        raise BadUsage(f"no line of {path} is about {wanted}", next_steps=["music-streams show " + wanted])


def _stack() -> Stack | None:
    try:
        return find_stack(environment={"LOCAL_CLOUD_STATE": str(local_cloud.state().root)})
    except NoPipeline:
        return None  # the cloud is stopped; its log can still be read


@dataclass
class About:
    """A filter for the lines that are about a file or batch."""

    wanted: str
    stack: Stack | None
    _terms: set[str] = field(default_factory=set)
    _runs: set[str] = field(default_factory=set)
    _job_of_open_run: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._look_up()

    def _look_up(self) -> None:
        """Read its ids and job runs from the ledger and the history of its execution."""
        self._terms = {self.wanted}
        if self.stack is None:
            return
        for entry in find_entries(self.stack, self.wanted):
            self._terms |= {entry.source.source_id, entry.batch_id or entry.source.source_id, entry.source.key}
            if entry.execution_arn:
                self._runs |= set(glue_run_ids(self.stack, entry.execution_arn))

    def covers(self, line: str) -> bool:
        """Return whether the line is about it; lines must come in the order of the log."""
        match = LINE.match(line)
        if match is None:
            return False
        part, text = match["part"], match["text"]
        change = _RUN_CHANGE.match(text) if part.startswith("glue/") else None
        if change:
            return self._covers_run(change["run"], change["state"], part)
        has_term = any(term in text for term in self._terms)
        if part.startswith("glue/") and "batch_id" not in _record(text):  # the line does not name its run
            return has_term or part in self._job_of_open_run.values()
        return has_term

    def _covers_run(self, run: str, state: str, part: str) -> bool:
        if state == "RUNNING" and run not in self._runs:
            self._look_up()
        if run not in self._runs:
            return False
        if state == "RUNNING":
            self._job_of_open_run[run] = part
        else:
            self._job_of_open_run.pop(run, None)
        return True


def _record(text: str) -> dict[str, Any]:
    """Return a structured line; {} if it is not structured."""
    try:
        return dict(json.loads(text)) if text.startswith("{") else {}
    except ValueError:
        return {}


def _print(console: output.Screen, line: str) -> None:
    match = LINE.match(line)
    if match is None:
        output.show_line(console, line, line)
        return
    part = match["part"].replace("music-streams-", "")
    time = match["time"][11:23]
    rendered = output.styled((time, "dim"), " ", (part, "cyan"), f"  {readable(match['text'])}")
    output.show_line(console, line, rendered)


def readable(text: str) -> str:
    """Return a structured line as text: level, message, and other fields."""
    record = _record(text)
    if not record:
        return text
    if "_aws" in record:
        names = [metric["Name"] for group in record["_aws"]["CloudWatchMetrics"] for metric in group["Metrics"]]
        return "metrics " + _pairs((name, _values(record.get(name, []))) for name in names)
    omitted = (
        _ENVELOPE | _IN_THE_MESSAGE | ({"batch_id"} if "execution" in record else set())
    )  # the execution begins with it
    rest = ((k, v) for k, v in record.items() if k not in omitted and not k.startswith("function_"))
    return f"{record.get('level', '')} {record.get('message', '')} {_pairs(rest)}".strip()


def _pairs(items: Iterable[tuple[str, object]]) -> str:
    return " ".join(f"{name}={value}" for name, value in items)


def _values(of_metric: list[float]) -> str:
    """Return the value; of several values, their range and number."""
    if len(of_metric) > 1:
        return f"{min(of_metric):g}…{max(of_metric):g} ({len(of_metric)} values)"
    return "".join(f"{value:g}" for value in of_metric)
