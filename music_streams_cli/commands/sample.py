"""`music-streams sample`: write sample files."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from music_streams import display
from music_streams_cli import options, output
from music_streams_cli import sample_data as generator
from music_streams_cli.errors import BadUsage
from music_streams_cli.registry import command

_share = partial(typer.Option, min=0, max=1, metavar="SHARE")


@command(
    "sample",
    "Write sample files.",
    "music-streams sample data",
    "music-streams sample data --files 20 --rows 50000 --day 2024-12-31",
    "music-streams sample dirty --dirty 0.05 --duplicates 0.02 --unknown 0.01 --late 3",
)
def sample(
    directory: Annotated[Path, options.argument("DIR", "The folder for the files.")],
    rows: Annotated[int, typer.Option(min=0, metavar="N", help="Rows in each streams file.")] = 10_000,
    files: Annotated[int, typer.Option(min=0, max=10_000, metavar="N", help="Streams files.")] = 3,
    day: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The UTC day of the listens.")
    ] = datetime(2024, 6, 25),
    dirty: Annotated[float, _share(help="Share of rows with a defect.")] = 0.0,
    duplicates: Annotated[float, _share(help="Share of rows that repeat another.")] = 0.0,
    unknown: Annotated[float, _share(help="Share of listens to unknown tracks.")] = 0.0,
    late: Annotated[
        int, typer.Option(min=0, metavar="DAYS", help="Every tenth listen is up to this many days older.")
    ] = 0,
    songs: Annotated[int, typer.Option(min=1, metavar="N", help="Tracks in songs.csv.")] = 2_000,
    users: Annotated[int, typer.Option(min=1, metavar="N", help="Users in users.csv.")] = 5_000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same bytes.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Write sample songs, users and streams files; the same options give the same bytes on every machine."""
    catalogue, digits = generator.Catalogue.generate(seed, songs=songs, users=users), len(str(files))
    made = {"songs.csv": catalogue.songs, "users.csv": catalogue.users}
    shares = {"dirty": dirty, "duplicates": duplicates, "unknown": unknown}
    try:
        for number in range(1, files + 1):
            content = generator.streams(seed + number, catalogue, day.date(), rows, **shares, late_days=late)
            made[f"streams_{day.date()}_{number:0{digits}}.csv"] = content
    except (ValueError, OverflowError) as error:  # no row left to repeat; days before the first of the calendar
        raise BadUsage(str(error)) from error
    existing = [name for name in made if (directory / name).exists()]
    if existing and not force:
        raise BadUsage(
            f"{directory / existing[0]} exists already", next_steps=["choose another folder, or overwrite with --force"]
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (directory / name).write_bytes(content)
    except OSError as error:
        raise BadUsage(f"{directory} cannot be written: {error.strerror}") from error
    for name, content in made.items():
        output.show(output.stdout(), f"{directory / name}  ({display.size(len(content))})")
    if not quiet:
        for step in (
            f"music-streams put {directory}/songs.csv --reference songs",
            f"music-streams put {directory}/users.csv --reference users",
            f"music-streams put {directory}/streams_*.csv",
        ):
            output.show(output.stderr(), f"next: {step}")
