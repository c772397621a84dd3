"""How the day is, in one sentence: the worst of its files first. Each part that counts files links to them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from music_streams import display
from music_streams.operate.health import Level
from music_streams_cli.report.data import DayFile

GROUPS = {  # the worst first, in words
    "failed": "failed",
    "quarantined": "in quarantine",
    "waiting": "on the way",
    "published": "published",
    "mended": "put aside, but mended since",
    "retracted": "retracted",
}


@dataclass(frozen=True)
class Part:
    """So many files of a group; `example` is the name of one where it helps."""

    text: str
    group: str
    example: str = ""


@dataclass(frozen=True)
class DayVerdict:
    """The level, and what makes it."""

    level: Level
    parts: list[Part]

    @property
    def sentence(self) -> str:
        """In words, like ``ATTENTION: 1 file in quarantine (streams.csv), 3 files published``."""
        told = [f"{part.text} ({part.example})" if part.example else part.text for part in self.parts]
        return f"{self.level}: {', '.join(told) or 'the ledger knows no file of this day'}."


def day_verdict(day_files: Sequence[DayFile]) -> DayVerdict:
    """The verdict on a day's files: one that failed or lies in quarantine leaves the numbers without its listens."""
    counts = Counter(file.group for file in day_files)
    if counts["failed"] or counts["quarantined"]:
        level = Level.ATTENTION
    else:
        level = Level.WORKING if counts["waiting"] else Level.OK
    parts = [
        Part(f"{display.plural(counts[group], 'file')} {GROUPS[group]}", group, _example(day_files, group))
        for group in GROUPS
        if counts[group]
    ]
    return DayVerdict(level, parts)


def _example(day_files: Sequence[DayFile], group: str) -> str:
    if group not in {"failed", "quarantined", "waiting"}:
        return ""
    return next(file.entry for file in day_files if file.group == group).source.name
