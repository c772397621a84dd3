"""A hand-made day, and a parser for its page."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

from music_streams.reader import CountryDay, DaySummary, GenreDay, TopSong
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams_cli.report.data import DayFile, DayReport

DAY = date(2024, 6, 25)
ARRIVED = "2024-06-26T00:10:00.000Z"
PUBLISHED = {
    "days": [str(DAY)],
    "rows_read": 100,
    "rows_accepted": 97,
    "rejected": {"duplicate": 2, "bad_user_id": 1},
    "validated_at": "2024-06-26T00:10:02.000Z",
    "started_at": "2024-06-26T00:10:05.000Z",
    "published_at": "2024-06-26T00:10:45.000Z",
    "archived_at": "2024-06-26T00:10:46.000Z",
}


def metrics(listens: int, day: date = DAY, version: int = 7) -> dict[str, Any]:
    """Return the attributes that all kinds of items have."""
    return {
        "day": day,
        "listen_count": listens,
        "unique_listeners": max(listens // 4, 1),
        "total_listening_time_ms": listens * 180_000,
        "avg_listening_time_per_user_ms": Decimal("720000.50"),
        "version": version,
        "lake_uuid": "lake",
        "batch_id": "b" * 32,
        "updated_at": datetime(2024, 6, 26, 0, 12, 30, tzinfo=UTC),
    }


def song(rank: int = 1, name: str = "Paper Lantern", artists: str = "Kofi Tide", listens: int = 40) -> TopSong:
    return TopSong(rank, "PaperLantern0000000001", name, artists, listens, listens // 2, listens * 200_000)


def genre(name: str, listens: int, *songs: TopSong) -> GenreDay:
    return GenreDay(**metrics(listens), genre=name, top_songs=songs or (song(),))


def country(name: str, listens: int, *songs: TopSong) -> CountryDay:
    return CountryDay(**metrics(listens), country=name, top_songs=songs or (song(),))


def summary(listens: int = 1_000, day: date = DAY, version: int = 7) -> DaySummary:
    return DaySummary(**metrics(listens, day, version), top_genres=())


def file(
    name: str,
    status: Status = Status.ARCHIVED,
    *,
    is_fixed: bool = False,
    reason_json: dict[str, Any] | None = None,
    next_steps: tuple[str, ...] = (),
    **attributes: Any,
) -> DayFile:
    """Return a file with its ledger entry; a published one passed its stages after 2, 5, 45 and 46 s.

    Args:
        reason_json: the content of its reason.json.
    """
    if status in {Status.PUBLISHED, Status.ARCHIVED}:
        attributes = {**PUBLISHED, **attributes}
    source = Source("landing", f"incoming/{name}", f"version of {name}", 1_234, ARRIVED)
    content = {"updated_at": "2024-06-26T00:10:50.000Z", "attempt": 1, **attributes}
    return DayFile(Entry(source, status, **content), is_fixed, reason_json or {}, list(next_steps))


def report(**changes: Any) -> DayReport:
    """Return a day with two genres, two countries, three days in the trend and two published files."""
    content: dict[str, Any] = {
        "day": DAY,
        "where": "the local cloud",
        "made_at": datetime(2024, 6, 26, 8, 0, tzinfo=UTC),
        "summary": summary(),
        "genres": [genre("jazz", 800), genre("techno", 200)],
        "countries": [country("Ghana", 600), country("unknown", 400)],
        "trend": [summary(500, DAY - timedelta(days=1)), summary(), summary(250, DAY + timedelta(days=1))],
        "files": [file("a.csv"), file("b.csv")],
    }
    return DayReport(**{**content, **changes})


@dataclass
class Element:
    """An element of a page; `text` is its text with that of its children."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def find(self, tag: str = "", **attributes: str) -> list["Element"]:
        """Return the elements within it with that tag and these attributes (`class_`, `id`, …), in order."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        elements = []
        for child in self.children:
            if tag in {"", child.tag} and wanted.items() <= child.attributes.items():
                elements.append(child)
            elements += child.find(tag, **attributes)
        return elements

    def one(self, tag: str = "", **attributes: str) -> "Element":
        [element] = self.find(tag, **attributes)
        return element

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


_VOID = {"meta", "link", "br"}
_BLOCKS = {"p", "dt", "dd", "br", "td", "th"}  # a blank separates their text from the text before


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        if tag in _BLOCKS:
            self.handle_data(" ")
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        closed = self._open.pop()
        assert closed.tag == tag, f"<{closed.tag}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data


def parse(page: str) -> Element:
    """Parse a page; every element must be closed in its place."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    assert parser._open == [parser.root], "not every element is closed"
    return parser.root
