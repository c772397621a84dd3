"""The whole trip: reference data, three files of one day and a broken one, and what consumers then read."""

import json
from datetime import date
from typing import Any

from boto3.dynamodb.conditions import Key
from rich.console import Console
from rich.table import Table

from music_streams import sample
from music_streams.ledger import Status
from music_streams_cli import journey
from music_streams_cli.journey import Journey
from music_streams_cli.stack import Stack

SEED = 20_240_625
DAY = date(2024, 6, 25)
ROWS = (11_346, 9_871, 10_402)
TIMEOUT_SECONDS = 300


def files() -> dict[str, bytes]:
    """The demo's input by key: songs and users, three stream files of one day, one without a column."""
    catalogue = sample.Catalogue.generate(SEED, songs=2_000, users=5_000)
    streams = {
        f"incoming/streams_{DAY}_{part}.csv": sample.streams(
            SEED + number, catalogue, DAY, rows, dirty=0.01, duplicates=0.01, unknown=0.005
        )
        for number, (part, rows) in enumerate(zip("abc", ROWS, strict=True))
    }
    return {
        "reference/songs/songs.csv": catalogue.songs,
        "reference/users/users.csv": catalogue.users,
        **streams,
        f"incoming/streams_{DAY}_broken.csv": sample.broken(DAY)["missing_columns"],
    }


def run(stack: Stack, console: Console) -> int:
    """Send the files through the pipeline and show the metrics.

    Returns:
        The exit code: 0 where every good file was archived and the broken one quarantined, else 1.
    """
    journeys = []
    for key, body in files().items():
        if key.startswith("reference/"):
            stack.s3.put_object(Bucket=stack.landing_bucket, Key=key, Body=body)
            console.print(f"put  {key}  ({len(body):,} bytes)")
        else:
            journeys.append(journey.put(stack, key, body))
            console.print(f"put  {key}  ({len(body.splitlines()) - 1:,} rows)")
    console.print()
    try:
        journey.follow(stack.ledger, journeys, console, TIMEOUT_SECONDS)
    except journey.TimedOut as error:
        console.print(f"[red]{error}[/red]\nThe log tells why: python -m local logs")
        return 1
    _show_metrics(stack, console)
    _show_quarantine(stack, console, journeys)
    _show_stages(console, journeys)
    is_as_expected = [each.entry.status for each in journeys if each.entry] == [Status.ARCHIVED] * len(ROWS) + [
        Status.QUARANTINED
    ]
    return 0 if is_as_expected else 1


def _show_metrics(stack: Stack, console: Console) -> None:
    day: dict[str, Any] = stack.metrics.get_item(Key={"pk": f"DAY#{DAY}", "sk": "SUMMARY"}).get("Item", {})
    if not day:
        return
    console.print(
        f"\n[bold]{DAY}[/bold]: {day['listen_count']:,} listens by {day['unique_listeners']:,} listeners, "
        f"{day['total_listening_time_ms'] / 3_600_000:,.0f} hours; version {day['version']}"
    )
    genres = Table(
        "#", "genre", "listens", "listeners", "hours", "first song", title="Top genres", title_justify="left"
    )
    for column in genres.columns[2:5]:
        column.justify = "right"
    for entry in day["top_genres"]:
        item: dict[str, Any] = stack.metrics.get_item(Key={"pk": f"GENRE#{entry['genre']}", "sk": f"DAY#{DAY}"})["Item"]
        first = item["top_songs"][0]
        genres.add_row(*_counts(entry, entry["genre"]), f"{first['track_name']} -- {first['artists']}")
    console.print(genres)

    on_day = stack.metrics.query(
        IndexName="by-day", KeyConditionExpression=Key("day").eq(str(DAY)) & Key("pk").begins_with("COUNTRY#")
    )["Items"]
    biggest: dict[str, Any] = max(on_day, key=lambda found: (found["listen_count"], found["pk"]))
    country = biggest["pk"].removeprefix("COUNTRY#")
    songs = Table("#", "song", "listens", "listeners", "hours", title=f"Top songs, {country}", title_justify="left")
    for column in songs.columns[2:]:
        column.justify = "right"
    for entry in biggest["top_songs"]:
        songs.add_row(*_counts(entry, f"{entry['track_name']} -- {entry['artists']}"))
    console.print(songs)


def _counts(entry: dict[str, Any], name: str) -> tuple[str, ...]:
    hours = f"{entry['total_listening_time_ms'] / 3_600_000:,.1f}"
    return str(entry["rank"]), name, f"{entry['listen_count']:,}", f"{entry['unique_listeners']:,}", hours


def _show_quarantine(stack: Stack, console: Console, journeys: list[Journey]) -> None:
    for each in journeys:
        if each.entry and each.entry.status is Status.QUARANTINED:
            folder = each.entry.archive_key.rsplit("/", 1)[0]
            body = stack.s3.get_object(Bucket=stack.landing_bucket, Key=f"{folder}/reason.json")["Body"].read()
            reason = json.loads(body)
            console.print(f"\n[bold]Quarantined[/bold]: {each.name}: {reason['verdict']}: {reason['detail']}")
            console.print(f"What to do: {reason['what_to_do']}")


def _show_stages(console: Console, journeys: list[Journey]) -> None:
    table = Table("file", "validated", "run started", "published", "archived", title_justify="left")
    table.title = "Seconds from PUT"
    for column in table.columns[1:]:
        column.justify = "right"
    for each in journeys:
        if each.entry and each.entry.archived_at:
            entry = each.entry
            stamps = (entry.validated_at, entry.started_at, entry.published_at, entry.archived_at)
            table.add_row(each.name, *(f"{each.seconds_until(stamp):.1f}" for stamp in stamps))
    console.print()
    console.print(table)
