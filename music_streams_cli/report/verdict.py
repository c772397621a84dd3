"""The state of the day in one sentence, the worst files first. Each part links to its files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from music_streams import display
from music_streams.operate.health import Level
from music_streams_cli.report.data import DayFile

GROUPS = {  # the worst first
    "failed": "failed",
    "quarantined": "quarantined",
    "waiting": "in flight",
    "published": "published",
    "fixed": "quarantined or failed, and fixed since",
    "retracted": "retracted",
}


@dataclass(frozen=True)
class Part:
    """The number of files in a group; `example` is the name of one, if useful."""

    text: str
    group: str
    example: str = ""


@dataclass(frozen=True)
class DayVerdict:
    """The level of the day and the reasons for it."""

    level: Level
    parts: list[Part]

    @property
    def sentence(self) -> str:
        """Return a sentence like ``ATTENTION: 1 file quarantined (streams.csv), 3 files published``."""
        texts = [f"{part.text} ({part.example})" if part.example else part.text for part in self.parts]
        return f"{self.level}: {', '.join(texts) or 'the ledger has no file of this day'}."


def day_verdict(day_files: Sequence[DayFile]) -> DayVerdict:
    """Return the verdict on a day's files: the metrics lack the listens of failed and quarantined files."""
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
