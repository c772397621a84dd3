"""`music-streams show`: show the history of a file or a batch."""

from typing import Annotated

from rich.console import RenderableType
from rich.table import Table

from music_streams import clock, display
from music_streams.operate import file_report, files
from music_streams.operate.file_report import FileReport
from music_streams.operate.history import Execution
from music_streams.stack import Stack, find_stack
from music_streams.state.ledger import Entry
from music_streams.state.sources import Treatment
from music_streams.state.statuses import WITHOUT_TIMESTAMP, Status
from music_streams_cli import journey, options, output, search
from music_streams_cli.registry import command

_OTHERS_SHOWN = 5
_DAYS_SHOWN = 10
_ERROR_CHARACTERS = 400
_TREATMENTS = {
    Treatment.ACCEPT_BAD_ROWS: "released from quarantine: MaxRejectedRatio does not apply",
    Treatment.ACCEPT_MANY_DAYS: "released from quarantine: neither MaxDaysPerFile nor MaxRejectedRatio applies",
    Treatment.RETRACT: "retracted: its rows are removed from lake and metrics",
    Treatment.PUT_ASIDE: "quarantined: too many attempts failed",
}


@command(
    "show",
    "Show the history of a file or a batch.",
    "music-streams show streams_2024-06-25.csv",
    "music-streams show 3f2a     the beginning of a source_id",
    "music-streams show 9698c83b6a7ee29131660ba2eea557ce --json     a batch",
)
def show(
    source: Annotated[
        str,
        options.argument("SOURCE", "A file's name, key or source_id (or its beginning), a batch_id or an execution."),
    ],
    as_json: options.Json = False,
    stack_name: options.StackName = None,
) -> None:
    """Show what happened to a file: its status, errors, job runs and metrics, and the command to run next.

    Of several files with one name, the last to arrive is shown; of a batch or an execution, all files.
    """
    stack = find_stack(stack_name)
    entries = search.find_entries(stack, source)
    if not entries:
        raise search.unknown(stack, source)
    if len(entries) > 1 and all(entry.batch_id and entry.batch_id in source for entry in entries):  # it names a batch
        _show_batch(stack, entries, as_json=as_json)
        return
    report = file_report.gather(stack, entries[0])
    if as_json:
        output.show_json(report.as_json())
    else:
        output.show(output.stdout(), stack.where)
        _show_file(output.stdout(), report)
        _show_others(output.stdout(), entries[1:])


def _show_batch(stack: Stack, entries: list[Entry], *, as_json: bool) -> None:
    report = file_report.gather_batch(stack, entries)
    if as_json:
        batch = {"batch_id": report.entry.batch_id, "files": [files.as_json(entry) for entry in entries]}
        output.show_json({**batch, **report.run_as_json()})
        return
    console = output.stdout()
    title = output.styled((f"batch {report.entry.batch_id}", "bold"), f"  {display.plural(len(entries), 'file')}")
    output.show(console, stack.where, title, "", _batch_table(entries))
    if total := sum(entry.cost_micro_usd for entry in entries):
        output.show(console, f"  cost  {display.dollars(total)} at AWS prices")
    if report.execution:
        _show_execution(console, report.execution)
    _show_result(console, report)
    output.show(console, f"next: music-streams show {entries[0].source.source_id[:8]}     details of its first file")


def _batch_table(entries: list[Entry]) -> Table:
    columns = ("  file", "status", "rows", "rejected", "source_id")
    table = output.table(*columns, right=("rows", "rejected"), elastic="  file")
    for entry in entries:
        name, status = f"  {output.name(entry.source.name)}", journey.styled_status(entry.status, entry.reason)
        counts = (f"{entry.rows_read:,}", f"{sum(entry.rejected.values()):,}") if entry.rows_read else ("", "")
        table.add_row(name, status, *counts, entry.source.source_id[:8])
    return table


def _show_file(console: output.Screen, report: FileReport) -> None:
    entry = report.entry
    source = entry.source
    output.show(
        console,
        output.styled((source.key, "bold"), "  ", journey.styled_status(entry.status, entry.reason)),
        "",
        output.facts(
            [
                ("object", f"s3://{source.bucket}/{source.key}"),
                ("version", source.version_id),
                ("size", display.size(source.size)),
                ("source_id", source.source_id),
                ("arrived", _at(source.received_at)),
                *([("attempt", str(entry.attempt))] if entry.attempt > 1 else []),
                *([("treatment", _TREATMENTS[entry.treatment])] if entry.treatment else []),
                *_rows(entry),
                *([("not read", entry.left_out)] if entry.left_out else []),
                *_cost(entry),
            ]
        ),
    )
    _show_moves(console, entry)
    if report.reason:
        reason = output.facts(
            (name.replace("_", " "), str(report.reason[name])) for name in ("verdict", "detail", "what_to_do")
        )
        output.show(console, *_heading("Why it is quarantined"), reason)
    if report.execution:
        _show_execution(console, report.execution)
    elif entry.execution_arn:
        name = entry.execution_arn.rsplit(":", 1)[-1]
        output.show(console, *_heading("Execution", f"{name}: no longer in Step Functions (kept for 90 days)"))
    _show_result(console, report)
    suffix = "" if report.location.is_there else "  (NOT FOUND)"
    output.show(console, *_heading("Location"), f"  {report.location.uri}{suffix}")
    for step in report.next_steps:
        output.show(console, f"next: {step}")


def _rows(entry: Entry) -> list[tuple[str, str]]:
    if not (entry.rows_read or entry.published_at):
        return []
    if entry.status is Status.RETRACTED:
        return [("rows", "removed from lake and metrics"), ("days", display.days(entry.days) or "none")]
    rejected = sum(entry.rejected.values())
    facts = [("rows", f"read {entry.rows_read:,} = accepted {entry.rows_accepted:,} + rejected {rejected:,}")]
    if entry.status is Status.QUARANTINED:
        counts = f"read {entry.rows_read:,}, rejected {rejected:,}"
        facts = [("rows", f"{counts}; the file is quarantined, so no row is published")]
    if rejected:
        facts.append(("rejected", display.counts(entry.rejected)))
    if entry.source.kind.is_reference:
        return facts
    return [*facts, ("days", display.days(entry.days) or "none")]


def _cost(entry: Entry) -> list[tuple[str, str]]:
    """Return its share of the cost of its run, and of all its runs if there were several."""
    if not entry.total_cost_micro_usd:
        return []
    cost = f"{display.dollars(entry.cost_micro_usd)}, its share of the run at AWS prices"
    if entry.total_cost_micro_usd != entry.cost_micro_usd:
        cost += f"; {display.dollars(entry.total_cost_micro_usd)} with earlier runs"
    return [("cost", cost)]


def _show_moves(console: output.Screen, entry: Entry) -> None:
    """Show its steps, each with the seconds since the previous one."""
    table = output.table("step", "time", "duration", right=("duration",))
    before = entry.source.received_at
    moves = [("arrived", before), ("validated", entry.validated_at), ("run started", entry.started_at)]
    moves += [("published", entry.published_at), ("archived", entry.archived_at)]
    if entry.status in WITHOUT_TIMESTAMP:
        moves.append((entry.status.lower(), entry.updated_at))
    for name, timestamp in moves:
        if timestamp:
            # Timestamps of earlier attempts are overwritten, so the time since the arrival spans all attempts.
            is_later_attempt = entry.attempt > 1 and before == entry.source.received_at
            took = None if timestamp == before or is_later_attempt else display.seconds_between(before, timestamp)
            table.add_row(f"  {name}", _at(timestamp), display.seconds(took))
            before = timestamp
    output.show(console, "", table)


def _show_execution(console: output.Screen, execution: Execution) -> None:
    name = execution.arn.rsplit(":", 1)[-1]
    took = display.seconds(execution.seconds) or "still running"
    output.show(console, *_heading("Execution", f"{name}  {execution.status}, {took}"))
    if execution.error:
        output.show(console, f"  error: {display.shortened(execution.error, _ERROR_CHARACTERS)}")
    columns = ("  state", "duration", "attempts", "error")
    table = output.table(*columns, right=columns[1:3], elastic="error")
    for state in execution.states:
        took = display.seconds(state.seconds) or "running"
        table.add_row(f"  {state.name}", took, str(state.tries or ""), display.shortened(state.error, 200))
    output.show(console, table)
    for run in execution.glue_runs:
        took = display.seconds(run.seconds) or "running"
        output.show(console, f"  Glue {run.job}  {run.state}, {took}  {run.run_id[:15]}…")
        if run.error:
            output.show(console, f"    error: {display.shortened(run.error, _ERROR_CHARACTERS)}")


def _show_result(console: output.Screen, report: FileReport) -> None:
    if report.summary and report.summary.version:
        output.show(
            console,
            *_heading("Lake", f"version {report.summary.version} of table listens ({report.summary.lake_uuid})"),
        )
    elif report.entry.published_at and not report.summary:
        output.show(console, *_heading("Lake", "the run's summary has expired"))
    if report.touched:
        output.show(console, output.styled(("Items", "bold"), " in MetricsTable"))
    for touched in report.touched[:_DAYS_SHOWN]:
        items = f"{display.plural(touched.items, 'item')} at version {touched.version}"
        later = "" if touched.from_this_run else "; a later run has published the day"
        output.show(console, f"  {touched.day}: {items}, {touched.from_this_run} written by this file's run{later}")
    if len(report.touched) > _DAYS_SHOWN:
        output.show(console, f"  and {len(report.touched) - _DAYS_SHOWN} more days")


def _show_others(console: output.Screen, others: list[Entry]) -> None:
    if not others:
        return
    output.show(console, "", f"{display.plural(len(others), 'more matching file')}:")
    for entry in others[:_OTHERS_SHOWN]:
        source = entry.source
        output.show(console, f"  music-streams show {source.source_id}  {_at(source.received_at)}  {entry.status}")


def _heading(name: str, text: str = "") -> list[RenderableType]:
    return ["", output.styled((name, "bold"), f" {text}" if text else "")]


def _at(timestamp: str) -> str:
    return clock.parse(timestamp).strftime("%Y-%m-%d %H:%M:%S UTC")
