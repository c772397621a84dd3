"""The library for consumers: the metrics of MetricsTable as typed values, and the event that announces new ones.

::

    reader = MetricsReader("name-of-the-metrics-table")
    jazz = reader.genre_day("jazz", date(2024, 6, 25))
    if jazz is not None:
        print(jazz.listen_count, jazz.top_songs[0].track_name)

It needs boto3 and the standard library, Python 3.9 or newer. What the attributes mean: music_streams.schemas. Access
patterns, costs and guarantees: docs/consumers.md.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from music_streams import clock
from music_streams.aws import clients
from music_streams.aws.batch_get import batch_get
from music_streams.errors import MusicStreamsError, TableThrottled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from boto3.dynamodb.conditions import ConditionBase

_CENT = Decimal("0.01")
_WHAT_TO_DO = {
    "ResourceNotFoundException": "there is no such table in this account and region; its name is the pipeline's output "
    "MetricsTableName",
    "AccessDeniedException": "access denied (IAM): attach the policy that is the pipeline's output "
    "MetricsReaderPolicyArn to your role",
}


class UnreadableMetrics(MusicStreamsError):
    """The table cannot be read, or an item or event is not what its schema says."""


@dataclass(frozen=True)
class TopSong:
    """A song in the top songs of a genre or country on a day."""

    rank: int
    track_id: str
    track_name: str
    artists: str
    listen_count: int
    unique_listeners: int
    total_listening_time_ms: int


@dataclass(frozen=True)
class TopGenre:
    """A genre in the top genres of a day."""

    rank: int
    genre: str
    listen_count: int
    unique_listeners: int
    total_listening_time_ms: int


@dataclass(frozen=True)
class DayMetrics:
    """The four metrics over some listens of one UTC day, and the run that computed them.

    Attributes:
        avg_listening_time_per_user_ms: two decimals, rounded half up.
        version: only grows as long as lake_uuid stays the same.
    """

    day: date
    listen_count: int
    unique_listeners: int
    total_listening_time_ms: int
    avg_listening_time_per_user_ms: Decimal
    version: int
    lake_uuid: str
    batch_id: str
    updated_at: datetime


@dataclass(frozen=True)
class GenreDay(DayMetrics):
    """A genre on a day."""

    genre: str
    top_songs: tuple[TopSong, ...]


@dataclass(frozen=True)
class CountryDay(DayMetrics):
    """A country's listeners on a day; `unknown` is the country of users without one."""

    country: str
    top_songs: tuple[TopSong, ...]


@dataclass(frozen=True)
class DaySummary(DayMetrics):
    """A whole day, each listen once."""

    top_genres: tuple[TopGenre, ...]


@dataclass(frozen=True)
class TrackDay(DayMetrics):
    """A track on a day."""

    track_id: str


@dataclass(frozen=True)
class MetricsPublished:
    """The event that a run has published metrics: read its days again."""

    batch_id: str
    version: int
    days: tuple[date, ...]
    sources: int
    rows_accepted: int

    @classmethod
    def of_event(cls, event: Mapping[str, Any]) -> MetricsPublished:
        """Parse an EventBridge event, as a function receives it or as the JSON of a queue message's body.

        Raises:
            UnreadableMetrics: it is another event, or lacks a field.
        """
        try:
            if event["detail-type"] != "MetricsPublished":
                raise ValueError(f"its detail-type is {event['detail-type']}")
            detail = event["detail"]
            return cls(
                batch_id=detail["batch_id"],
                version=int(detail["version"]),
                days=tuple(map(date.fromisoformat, detail["days"])),
                sources=int(detail["sources"]),
                rows_accepted=int(detail["rows_accepted"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableMetrics(f"not an event MetricsPublished: {error!r}") from error


_Kind = TypeVar("_Kind", bound=DayMetrics)


@dataclass(frozen=True)
class MetricsReader:
    """Reads MetricsTable. Thread-safe; create one for the life of the process.

    Days are UTC dates, ranges include both ends, lists are ordered by day or by name (code points). If there is no
    listen, or none is published yet, a method returns None, or a list without the item.

    Every method raises UnreadableMetrics if the table does not exist or access is denied, or if an item does not match
    the schema; other errors of AWS are raised as botocore's ClientError, after retries.

    Attributes:
        table_name: the pipeline's output MetricsTableName.
        dynamodb: a client that accepts plain Python values: ``boto3.resource("dynamodb").meta.client``, or one like it
            with your own settings.
        consistent: read strongly consistently, at twice the cost. It has no effect on ``genres_of_day``,
            ``countries_of_day`` and ``items_of_day``: an index is always read eventually consistently.
    """

    table_name: str
    dynamodb: Any = field(default_factory=clients.dynamodb, repr=False)
    consistent: bool = False

    def genre_day(self, genre: str, day: date) -> GenreDay | None:
        """Return a genre on a day, with its top songs."""
        return self._get(f"GENRE#{genre}", f"DAY#{_text(day)}", _genre_day)

    def genre_days(self, genre: str, first: date, last: date) -> list[GenreDay]:
        """Return a genre on the days of a range."""
        return self._range(f"GENRE#{genre}", first, last, _genre_day)

    def country_day(self, country: str, day: date) -> CountryDay | None:
        """Return a country on a day, with its top songs."""
        return self._get(f"COUNTRY#{country}", f"DAY#{_text(day)}", _country_day)

    def country_days(self, country: str, first: date, last: date) -> list[CountryDay]:
        """Return a country on the days of a range."""
        return self._range(f"COUNTRY#{country}", first, last, _country_day)

    def track_day(self, track_id: str, day: date) -> TrackDay | None:
        """Return a track on a day; None also if the pipeline does not publish track metrics."""
        return self._get(f"TRACK#{track_id}", f"DAY#{_text(day)}", _track_day)

    def track_days(self, track_id: str, first: date, last: date) -> list[TrackDay]:
        """Return a track on the days of a range; empty also if the pipeline does not publish track metrics."""
        return self._range(f"TRACK#{track_id}", first, last, _track_day)

    def day(self, day: date) -> DaySummary | None:
        """Return the summary of a day, with its top genres."""
        return self._get(f"DAY#{_text(day)}", "SUMMARY", _day_summary)

    def days(self, first: date, last: date) -> list[DaySummary]:
        """Return the summaries of the days of a range: 100 keys a request."""
        dates = clock.dates(*_text_of_range(first, last))
        keys = [{"pk": f"DAY#{day}", "sk": "SUMMARY"} for day in dates]
        with self._explained():
            items = list(batch_get(self.dynamodb, self.table_name, keys, consistent=self.consistent))
        return [_read(item, _day_summary) for item in sorted(items, key=lambda item: str(item["pk"]))]

    def genres_of_day(self, day: date) -> list[GenreDay]:
        """Return every genre with listens on a day."""
        return self._of_day(day, "GENRE#", _genre_day)

    def countries_of_day(self, day: date) -> list[CountryDay]:
        """Return every country with listens on a day."""
        return self._of_day(day, "COUNTRY#", _country_day)

    def items_of_day(self, day: date) -> list[GenreDay | CountryDay | DaySummary]:
        """Return all items of a day: countries, the summary, genres; no tracks."""
        return self._of_day(day, "", _any_of_day)

    def _get(self, pk: str, sk: str, kind: Callable[[Mapping[str, Any]], _Kind]) -> _Kind | None:
        with self._explained():
            answer = self.dynamodb.get_item(
                TableName=self.table_name, Key={"pk": pk, "sk": sk}, ConsistentRead=self.consistent
            )
        return _read(answer["Item"], kind) if "Item" in answer else None

    def _range(self, pk: str, first: date, last: date, kind: Callable[[Mapping[str, Any]], _Kind]) -> list[_Kind]:
        lowest, highest = _text_of_range(first, last)
        condition = Key("pk").eq(pk) & Key("sk").between(f"DAY#{lowest}", f"DAY#{highest}")
        return [_read(item, kind) for item in self._query(condition, ConsistentRead=self.consistent)]

    def _of_day(self, day: date, prefix: str, kind: Callable[[Mapping[str, Any]], _Kind]) -> list[_Kind]:
        condition: ConditionBase = Key("day").eq(_text(day))
        if prefix:
            condition &= Key("pk").begins_with(prefix)
        return [_read(item, kind) for item in self._query(condition, IndexName="by-day")]

    def _query(self, condition: ConditionBase, **options: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - Query's
        with self._explained():
            pages = self.dynamodb.get_paginator("query").paginate(
                TableName=self.table_name, KeyConditionExpression=condition, **options
            )
            for page in pages:
                yield from page["Items"]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise errors of AWS whose message lacks advice as errors that say what to do."""
        try:
            yield
        except TableThrottled as error:
            raise UnreadableMetrics(
                f"table {self.table_name} is throttled: request fewer days, or retry later"
            ) from error
        except ClientError as error:
            advice = _WHAT_TO_DO.get(clients.error_code(error))
            if advice is None:
                raise
            raise UnreadableMetrics(f"table {self.table_name}: {advice}") from error


def _text(day: date) -> str:
    # A datetime is a date in Python, but only the caller knows which UTC day it means.
    if isinstance(day, datetime) or not isinstance(day, date):
        raise TypeError(f"a day must be a datetime.date, not {day!r}")
    return day.isoformat()


def _text_of_range(first: date, last: date) -> tuple[str, str]:
    lowest, highest = _text(first), _text(last)
    if first > last:
        raise ValueError(f"a range must begin with its first day, but {lowest} is after {highest}")
    return lowest, highest


def _read(item: Mapping[str, Any], kind: Callable[[Mapping[str, Any]], _Kind]) -> _Kind:
    try:
        return kind(item)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        name = f"{item.get('pk')} / {item.get('sk')}"
        raise UnreadableMetrics(f"item {name} does not match the schema of MetricsTable: {error!r}") from error


def _genre_day(item: Mapping[str, Any]) -> GenreDay:
    return GenreDay(**_metrics(item, "day"), genre=_name(item), top_songs=_top_songs(item))


def _country_day(item: Mapping[str, Any]) -> CountryDay:
    return CountryDay(**_metrics(item, "day"), country=_name(item), top_songs=_top_songs(item))


def _day_summary(item: Mapping[str, Any]) -> DaySummary:
    genres = tuple(TopGenre(genre=entry["genre"], **_ranked(entry)) for entry in item["top_genres"])
    return DaySummary(**_metrics(item, "day"), top_genres=genres)


def _track_day(item: Mapping[str, Any]) -> TrackDay:
    return TrackDay(**_metrics(item, "track_day"), track_id=_name(item))


def _any_of_day(item: Mapping[str, Any]) -> GenreDay | CountryDay | DaySummary:
    kinds: dict[str, Callable[[Mapping[str, Any]], GenreDay | CountryDay | DaySummary]]
    kinds = {"GENRE": _genre_day, "COUNTRY": _country_day, "DAY": _day_summary}
    return kinds[item["pk"].partition("#")[0]](item)


def _name(item: Mapping[str, Any]) -> str:
    return str(item["pk"].partition("#")[2])


def _metrics(item: Mapping[str, Any], day: str) -> dict[str, Any]:
    return {
        "day": date.fromisoformat(item[day]),
        **_counts(item),
        # DynamoDB stores numbers without trailing zeros.
        "avg_listening_time_per_user_ms": Decimal(item["avg_listening_time_per_user_ms"]).quantize(_CENT),
        "version": int(item["version"]),
        "lake_uuid": item["lake_uuid"],
        "batch_id": item["batch_id"],
        "updated_at": clock.parse(item["updated_at"]),
    }


def _top_songs(item: Mapping[str, Any]) -> tuple[TopSong, ...]:
    return tuple(
        TopSong(track_id=entry["track_id"], track_name=entry["track_name"], artists=entry["artists"], **_ranked(entry))
        for entry in item["top_songs"]
    )


def _ranked(entry: Mapping[str, Any]) -> dict[str, int]:
    return {"rank": int(entry["rank"]), **_counts(entry)}


def _counts(item: Mapping[str, Any]) -> dict[str, int]:
    names = ("listen_count", "unique_listeners", "total_listening_time_ms")
    return {name: int(item[name]) for name in names}
