"""How the pipeline is, in one sentence: the same for the command line, reports and dashboards."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from music_streams import formats

LATE_SECONDS = 900.0  # minutes are promised: a window of 1, a cold start of 2, a run of a few


class Level(StrEnum):
    """The worst of what was found."""

    OK = "OK"
    WORKING = "WORKING"
    ATTENTION = "ATTENTION"


@dataclass(frozen=True)
class Waiting:
    """A file on its way."""

    name: str
    since: str


@dataclass(frozen=True)
class Health:
    """What there is to say; `quarantined` counts the files of the last day, the others all that there are."""

    waiting: Sequence[Waiting]
    failed: Sequence[str]
    quarantined: int
    dead_letters: int | None
    now: datetime

    @property
    def oldest(self) -> Waiting | None:
        """The file that waits longest."""
        return min(self.waiting, key=lambda each: each.since, default=None)

    @property
    def is_late(self) -> bool:
        """Whether a file waits for longer than it should."""
        return self.oldest is not None and formats.age(self.oldest.since, self.now) > LATE_SECONDS

    @property
    def level(self) -> Level:
        """The worst of what was found."""
        if self.failed or self.dead_letters or self.is_late:
            return Level.ATTENTION
        return Level.WORKING if self.waiting else Level.OK

    @property
    def sentence(self) -> str:
        """The level, then what makes it, the worst first."""
        trouble = []
        if self.failed:
            trouble.append(f"{formats.plural(len(self.failed), 'file')} failed (last {self.failed[0]})")
        if self.dead_letters:
            trouble.append(formats.plural(self.dead_letters, "dead letter"))
        parts = [*trouble, self._waiting()]
        if not self.failed:
            parts.append("none failed")
        if self.dead_letters == 0:
            parts.append("no dead letters")
        if self.quarantined:
            parts.append(f"{self.quarantined:,} quarantined in 24 h")
        return f"{self.level}: {', '.join(parts)}."

    def _waiting(self) -> str:
        if self.oldest is None:
            return "no file waits"
        wait = formats.span(formats.age(self.oldest.since, self.now))
        limit = f", longer than {formats.span(LATE_SECONDS)}" if self.is_late else ""
        if len(self.waiting) == 1:
            return f"1 file waits for {wait} ({self.oldest.name}{limit})"
        return f"{len(self.waiting):,} files wait, the oldest for {wait} ({self.oldest.name}{limit})"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "level": self.level,
            "sentence": self.sentence,
            "waiting": len(self.waiting),
            "oldest_waiting": asdict(self.oldest) if self.oldest else None,
            "failed": len(self.failed),
            "quarantined_24h": self.quarantined,
            "dead_letters": self.dead_letters,
        }
