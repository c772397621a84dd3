"""`music-streams demo`: process sample files and show their metrics."""

from datetime import date

from music_streams import display, policy
from music_streams.operate import next_steps
from music_streams.operate.files import reason_of
from music_streams.stack import Stack, find_stack
from music_streams.state.statuses import Status
from music_streams_cli import journey, metric_tables, options, output, results, sample_data
from music_streams_cli.errors import BadData
from music_streams_cli.journey import Journey
from music_streams_cli.registry import command

SEED = 20_240_914
DAY = date(2024, 9, 14)
ROWS = (11_346, 9_871, 10_402)


def files() -> dict[str, bytes]:
    """Return the demo's input by key: songs, users, three stream files of one day, and one that lacks a column."""
    catalogue = sample_data.Catalogue.generate(SEED, songs=2_000, users=5_000)
    streams = {
        f"incoming/streams_{DAY}_{part}.csv": sample_data.streams(
            SEED + number, catalogue, DAY, rows, dirty=0.01, duplicates=0.01, unknown=0.005
        )
        for number, (part, rows) in enumerate(zip("abc", ROWS, strict=True))
    }
    return {
        "reference/songs/songs.csv": catalogue.songs,
        "reference/users/users.csv": catalogue.users,
        **streams,
        f"incoming/streams_{DAY}_broken.csv": sample_data.broken(DAY)["missing_columns"],
    }


@command(
    "demo",
    "Process sample files and show their metrics.",
    "music-streams up && music-streams demo",
    "make demo     does the same in a new local cloud",
)
def demo(timeout: options.Timeout = policy.DEMO_WAIT_SECONDS, stack_name: options.StackName = None) -> None:
    """Process sample files in the running pipeline and show their metrics.

    Exit code 0: every valid file was published and archived, and the broken one was quarantined.
    """
    stack = find_stack(stack_name)
    console = output.stdout()
    output.show(console, f"to {stack.where}")
    journeys = _put(stack, console)
    output.show(console, "")
    journey.follow(stack.ledger, journeys, console, timeout)
    _show_files(console, journeys)
    _show_metrics(stack, console)
    _show_quarantine(stack, console, journeys)
    step = f"music-streams status, music-streams metrics day {DAY}, music-streams show streams_{DAY}_a.csv"
    output.show(console, "", f"next, while it runs: {step}")
    statuses = [file.entry.status for file in journeys if file.entry]
    if statuses != [*[Status.ARCHIVED] * (len(journeys) - 1), Status.QUARANTINED]:
        raise BadData(
            "the demo failed: all files but the last should be ARCHIVED, and the last QUARANTINED",
            details=[f"{file.name}: {file.shown_status}" for file in journeys],
            next_steps=["music-streams logs"],
        )


def _put(stack: Stack, console: output.Screen) -> list[Journey]:
    journeys = []
    for key, body in files().items():
        journeys.append(journey.put(stack, key, body))
        output.show(console, f"put  {key}  ({display.size(len(body))})")
    return journeys


def _show_files(console: output.Screen, journeys: list[Journey]) -> None:
    columns = ("seconds from PUT", "validated", "run started", "published", "archived")
    table = output.table(*columns, right=columns[1:], elastic=columns[0])
    entries = [file.entry for file in journeys if file.entry]
    for file in journeys:
        if (entry := file.entry) and entry.archived_at:
            timestamps = (entry.validated_at, entry.started_at, entry.published_at, entry.archived_at)
            table.add_row(file.name, *(f"{file.seconds_until(timestamp):.1f}" for timestamp in timestamps))
    streams = [entry for entry in entries if not entry.source.kind.is_reference]
    rows_read, accepted = sum(entry.rows_read for entry in streams), sum(entry.rows_accepted for entry in streams)
    output.show(console, "", table, "")
    output.show(console, f"rows read {rows_read:,} = accepted {accepted:,} + rejected {rows_read - accepted:,}")
    output.show(console, f"rejected: {display.counts(results.rejected(streams))}")


def _show_metrics(stack: Stack, console: output.Screen) -> None:
    day = stack.reader.day(DAY)
    if day is None:
        return
    output.show(console, "")
    metric_tables.show_day(console, stack.reader, day)
    countries = stack.reader.countries_of_day(DAY)
    biggest = max(countries, key=lambda country: (country.listen_count, country.country))
    output.show(console, "", metric_tables.songs(f"Top songs, {biggest.country}", biggest.top_songs))


def _show_quarantine(stack: Stack, console: output.Screen, journeys: list[Journey]) -> None:
    for file in journeys:
        reason = reason_of(stack, file.entry) if file.entry else None
        if file.entry and reason:
            output.show(console, "", f"quarantined: {file.name}: {reason['verdict']}: {reason['detail']}")
            output.show(console, f"  what to do: {reason['what_to_do']}")
            for step in next_steps.on_stack(stack, file.entry):
                output.show(console, f"  next: {step}")
