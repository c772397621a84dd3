"""`music-streams show`: all about one file, or about a batch."""

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
    Treatment.ACCEPT_BAD_ROWS: "released from quarantine: its good rows count, however many are bad",
    Treatment.RETRACT: "retracted: its rows leave, or have left, lake and metrics",
    Treatment.PUT_ASIDE: "put aside: attempt after attempt failed over it",
}


@command(
    "show",
    "All about one file, or a batch.",
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
    """Tell a file's whole story: object, verdict, execution, job runs, snapshot, items, and where it lies now.

    Of several files of that name the last to arrive is shown, of a batch all.
    """
    stack = find_stack(stack_name)
    entries = search.find_entries(stack, source)
    if not entries:
        raise search.unknown(stack, source)
    if len(entries) > 1 and all(entry.batch_id and entry.batch_id in source for entry in entries):  # it names a batch
        _tell_batch(stack, entries, as_json=as_json)
        return
    told = file_report.gather(stack, entries[0])
    if as_json:
        output.show_json(told.as_json())
    else:
        _show_file(output.stdout(), told)
        _show_others(output.stdout(), entries[1:])


def _tell_batch(stack: Stack, entries: list[Entry], *, as_json: bool) -> None:
    told = file_report.gather_batch(stack, entries)
    if as_json:
        batch = {"batch_id": told.entry.batch_id, "files": [files.as_json(entry) for entry in entries]}
        output.show_json({**batch, **told.run_as_json()})
        return
    console = output.stdout()
    title = output.styled((f"batch {told.entry.batch_id}", "bold"), f"  {display.plural(len(entries), 'file')}")
    output.show(console, title, "", _batch_table(entries))
    if whole := sum(entry.cost_micro_usd for entry in entries):
        output.show(console, f"  cost  {display.dollars(whole)} by AWS's prices")
    if told.execution:
        _show_execution(console, told.execution)
    _show_result(console, told)
    output.show(console, f"next: music-streams show {entries[0].source.source_id[:8]}     all about its first file")


def _batch_table(entries: list[Entry]) -> Table:
    columns = ("  file", "state", "rows", "rejected", "source_id")
    table = output.table(*columns, right=("rows", "rejected"), elastic="  file")
    for entry in entries:
        name, state = f"  {output.name(entry.source.name)}", journey.state(entry.status, entry.reason)
        counts = (f"{entry.rows_read:,}", f"{sum(entry.rejected.values()):,}") if entry.rows_read else ("", "")
        table.add_row(name, state, *counts, entry.source.source_id[:8])
    return table


def _show_file(console: output.Screen, told: FileReport) -> None:
    entry = told.entry
    source = entry.source
    output.show(
        console,
        output.styled((source.key, "bold"), "  ", journey.state(entry.status, entry.reason)),
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
                *_cost(entry),
            ]
        ),
    )
    _show_moves(console, entry)
    if told.reason:
        reason = output.facts((name, str(told.reason[name])) for name in ("verdict", "detail", "what_to_do"))
        output.show(console, *_heading("Why it is in quarantine"), reason)
    if told.execution:
        _show_execution(console, told.execution)
    elif entry.execution_arn:
        name = entry.execution_arn.rsplit(":", 1)[-1]
        output.show(console, *_heading("Execution", f"{name}: AWS remembers it no more"))
    _show_result(console, told)
    is_there = "" if told.location.is_there else "  (NOT THERE)"
    output.show(console, *_heading("Lies now at"), f"  {told.location.uri}{is_there}")
    for step in told.next_steps:
        output.show(console, f"next: {step}")


def _rows(entry: Entry) -> list[tuple[str, str]]:
    if not (entry.rows_read or entry.published_at):
        return []
    if entry.status is Status.RETRACTED:
        return [("rows", "none counts any more"), ("days", display.days(entry.days) or "none")]
    rejected = sum(entry.rejected.values())
    facts = [("rows", f"read {entry.rows_read:,} = accepted {entry.rows_accepted:,} + rejected {rejected:,}")]
    if entry.status is Status.QUARANTINED:
        facts = [("rows", f"read {entry.rows_read:,}, rejected {rejected:,}; none was kept")]
    if rejected:
        facts.append(("rejected", display.counts(entry.rejected)))
    return [*facts, ("days", display.days(entry.days) or "none")]


def _cost(entry: Entry) -> list[tuple[str, str]]:
    """Its share of what its run cost, and of all its runs where there were several."""
    if not entry.total_cost_micro_usd:
        return []
    told = f"{display.dollars(entry.cost_micro_usd)}, its share of the run by AWS's prices"
    if entry.total_cost_micro_usd != entry.cost_micro_usd:
        told += f"; {display.dollars(entry.total_cost_micro_usd)} with earlier runs"
    return [("cost", told)]


def _show_moves(console: output.Screen, entry: Entry) -> None:
    """Its way through the ledger, each step with the seconds since the one before."""
    table = output.table("step", "at", "took", right=("took",))
    before = entry.source.received_at
    moves = [("arrived", before), ("judged valid", entry.validated_at), ("run started", entry.started_at)]
    moves += [("published", entry.published_at), ("archived", entry.archived_at)]
    if entry.status in WITHOUT_TIMESTAMP:
        moves.append((entry.status.lower(), entry.updated_at))
    for name, stamp in moves:
        if stamp:
            # An earlier attempt's stamps are gone: the span since the arrival would be that of all attempts.
            is_later_attempt = entry.attempt > 1 and before == entry.source.received_at
            took = None if stamp == before or is_later_attempt else display.between(before, stamp)
            table.add_row(f"  {name}", _at(stamp), display.seconds(took))
            before = stamp
    output.show(console, "", table)


def _show_execution(console: output.Screen, execution: Execution) -> None:
    name = execution.arn.rsplit(":", 1)[-1]
    took = display.seconds(execution.seconds) or "still running"
    output.show(console, *_heading("Execution", f"{name}  {execution.status}, {took}"))
    if execution.error:
        output.show(console, f"  error: {display.shortened(execution.error, _ERROR_CHARACTERS)}")
    table = output.table("  state", "took", "tries", "error", right=("took", "tries"), elastic="error")
    for state in execution.states:
        took = display.seconds(state.seconds) or "running"
        table.add_row(f"  {state.name}", took, str(state.tries or ""), display.shortened(state.error, 200))
    output.show(console, table)
    for run in execution.glue_runs:
        took = display.seconds(run.seconds) or "running"
        output.show(console, f"  Glue {run.job}  {run.state}, {took}  {run.run_id[:15]}…")
        if run.error:
            output.show(console, f"    error: {display.shortened(run.error, _ERROR_CHARACTERS)}")


def _show_result(console: output.Screen, told: FileReport) -> None:
    if told.summary and told.summary.version:
        output.show(
            console, *_heading("Lake", f"version {told.summary.version} of table listens ({told.summary.lake_uuid})")
        )
    elif told.entry.published_at and not told.summary:
        output.show(console, *_heading("Lake", "the run's summary has expired"))
    if told.touched:
        output.show(console, output.styled(("Items", "bold"), " in MetricsTable"))
    for each in told.touched[:_DAYS_SHOWN]:
        items = f"{display.plural(each.items, 'item')} at version {each.version}"
        later = "" if each.from_this_run else "; a later run has the day"
        output.show(console, f"  {each.day}: {items}, {each.from_this_run} as this file's run wrote them{later}")
    if len(told.touched) > _DAYS_SHOWN:
        output.show(console, f"  and {len(told.touched) - _DAYS_SHOWN} more days")


def _show_others(console: output.Screen, others: list[Entry]) -> None:
    if not others:
        return
    output.show(console, "", f"{display.plural(len(others), 'more file')} like that:")
    for entry in others[:_OTHERS_SHOWN]:
        source = entry.source
        output.show(console, f"  music-streams show {source.source_id}  {_at(source.received_at)}  {entry.status}")


def _heading(name: str, words: str = "") -> list[RenderableType]:
    return ["", output.styled((name, "bold"), f" {words}" if words else "")]


def _at(stamp: str) -> str:
    return clock.parse(stamp).strftime("%Y-%m-%d %H:%M:%S UTC")
