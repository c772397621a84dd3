"""Run the command line with `python -m music_streams_cli`."""

from music_streams_cli.app import app


def main() -> None:
    """Run the program."""
    app(prog_name="music-streams")


if __name__ == "__main__":
    main()
