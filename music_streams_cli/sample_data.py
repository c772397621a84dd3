"""Sample data: a catalogue (songs, users), and stream files that exercise every rule of the data contract.

    catalogue = Catalogue.generate(seed=7)
    content = streams(seed=7, catalogue=catalogue, day=date(2024, 6, 25), rows=1_000, dirty=0.05)

The same arguments give the same bytes on every Python from 3.11 on: every choice is made with ``random()``, the only
function of the random module whose sequence is guaranteed.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from random import Random
from string import ascii_letters, digits
from typing import Self, TypeVar

STREAM_COLUMNS = ("user_id", "track_id", "listen_time")
USER_COLUMNS = ("user_id", "user_name", "user_age", "user_country", "created_at")
SONG_COLUMNS = (
    *("id", "track_id", "artists", "album_name", "track_name", "popularity", "duration_ms", "explicit"),
    *("danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness"),
    *("liveness", "valence", "tempo", "time_signature", "track_genre"),
)


def _each(row: str, *values: str) -> tuple[str, ...]:
    """Return the row once for each value, which replaces its `?`."""
    return tuple(row.replace("?", value) for value in values)


# Rows with a defect, by their reason in the contract; {user}, {track} and {time} stand for valid values.
DEFECTS = {
    "malformed_row": (
        *("{user},{track}", "{user},{track},{time},surplus", '{user},"{track},{time}', '{user},"{track}"!,{time}'),
        '{user},{track[0]}"{track},{time}',
    ),
    "missing_user_id": (",{track},{time}", '"",{track},{time}'),
    "bad_user_id": _each(
        "?,{track},{time}",
        *("0", "-{user}", " {user}", "{user}.0", "anonymous", "٣{user}"),
        *("9223372036854775808", "00000000000000000001"),
    ),
    "missing_track_id": ("{user},,{time}", '{user},"",{time}'),
    "bad_track_id": _each(
        "{user},?,{time}",
        *("{track}0", " {track}", "spotify:{track}", "0123456789-abcdefghijk", "0123456789éabcdefghijk"),
    ),
    "missing_listen_time": ("{user},{track},", '{user},{track},""'),
    "bad_listen_time": _each(
        "{user},{track},?",
        *("2023-02-29 12:00:00", "2024-06-25 24:00:00", "2024-06-25 12:60:00", "2024-06-25 12:00:60"),
        *("1969-12-31 12:00:00", "2024-06-25 12:00:00.", "2024-06-25 12:00:00.1234567890"),
        *("2024-06-25 12:00:00+18:01", "2024-06-25 12:00:00 Z", "2024-06-25t12:00:00z", "2024-06-25 12:00"),
        *("25.06.2024 12:00:00", " {time}"),
    ),
    "future_listen_time": ("{user},{track},2996-02-29 12:00:00", "{user},{track},9999-12-31T23:59:59.999999999-18:00"),
}

_LATE_SHARE = 0.1
_LISTENS_BY_HOUR = (4, 3, 2, 1, 1, 2, 4, 7, 8, 7, 7, 7, 8, 8, 8, 9, 11, 14, 17, 20, 22, 20, 14, 8)  # evenings are busy
_ZONES = (
    *(("", 0),) * 20,
    *(("Z", 0), ("+05:30", 330), ("+0530", 330), ("-08:00", -480), ("-0800", -480)),
    *(("+18:00", 1080), ("-18:00", -1080), ("-00:00", 0)),
)
_ADJECTIVES = ("Amber", "Borrowed", "Crooked", "Électrique", "Hollow", "Midnight", "Paper", "Ünquiet", "Velvet")
_NOUNS = ("Arcade", "Coast", "Engine", "Garden", "Harbour", "Lantern", "Orchard", "Señal", "Static", "星空")
_TITLES = (*("{} {}",) * 8, *("{}, {}", 'The "{}" {}', "{} {} (Live, 1998)", '"{}, {}"', "{}\n{}"))
_ARTISTS = (
    *("Marisol Quay", "The Tin Foxes", "Łucja Brzoza", "Kofi Tide", "Ångström Choir", "Baker, Finch & Sons"),
    *('Johnny "Two Hats" Vale', "鈴木はな", "Zoë Quill", "Los Faroles", "DJ Ostrich", "Нина Заря"),
)
_GENRES = (
    *("acoustic", "afrobeat", "ambient", "bossa-nova", "chanson", "drum-and-bass", "folk", "forró"),
    *("hip-hop", "indie-pop", "j-pop", "jazz", "metal", "r-n-b", "techno", "world-music"),
)
_INVALID_SONGS = (
    *({"duration_ms": duration} for duration in ("", "0", "-180000", "180000.0", "2147483648")),
    *({"track_genre": ""}, {"track_id": ""}, {"track_id": "too-short"}),
)
_NAMES = ("Ada", "Björn", "Chidi", "Dolores", "Éloïse", "Farid", "Grace", "Hana", "Íñigo", "Jun")
_SURNAMES = ("Abara", "Brandt", "Castaño", "Dubois", "Eriksen", "Fischer", "Gupta", "Høgh", "O'Neill", "Park, Jr.")
_COUNTRIES = (
    *("United States",) * 8,
    *("Brazil", "Côte d'Ivoire", "France", "Germany", "India", "Japan", "Korea, Republic of", "Türkiye"),
)


@dataclass(frozen=True)
class Catalogue:
    """The reference files, and the ids for listens."""

    songs: bytes
    """songs.csv"""
    users: bytes
    """users.csv"""
    track_ids: tuple[str, ...]
    """All tracks of songs.csv, the most popular first."""
    user_ids: tuple[int, ...]
    """All users of users.csv and a few that are not in it, the most active first."""

    @classmethod
    def generate(cls, seed: int, *, songs: int = 200, users: int = 500) -> Self:
        """Return ``songs`` tracks and ``users`` users: some with several, differing rows, and some invalid rows."""
        dice = _Dice(f"catalogue {seed}")
        track_ids = tuple(dice.track_id() for _ in range(songs))
        user_ids = tuple(range(1, users + 1))
        unknown = tuple(range(users + 1, users + 1 + users // 50))
        return cls(
            songs=_csv(SONG_COLUMNS, _song_rows(dice, track_ids)),
            users=_csv(USER_COLUMNS, _user_rows(dice, user_ids)),
            track_ids=track_ids,
            user_ids=tuple(dice.shuffled(user_ids + unknown)),
        )


def streams(
    seed: int,
    catalogue: Catalogue,
    day: date,
    rows: int,
    *,
    dirty: float = 0.0,
    duplicates: float = 0.0,
    unknown: float = 0.0,
    late_days: int = 0,
) -> bytes:
    """Return a stream file of ``rows`` listens of the UTC ``day``, in every time notation that the contract allows.

    ``dirty``, ``duplicates`` and ``unknown`` are exact shares of the rows: rows with one of the :data:`DEFECTS` (each
    reason in turn), repetitions of a row of this file (perhaps in another notation), listens to a track outside the
    catalogue. With ``late_days``, about every tenth listen happened up to that many days earlier. Raises ValueError if
    the shares leave no row to repeat.
    """
    bad, repeated, parked = (round(rows * share) for share in (dirty, duplicates, unknown))
    good = rows - bad - repeated - parked
    if good < 0 or (repeated and not good + parked):
        raise ValueError(f"{dirty=}, {duplicates=} and {unknown=} leave no plain row among {rows}: lower them")
    dice = _Dice(f"streams {seed} {day}")
    habits = _Habits(dice, catalogue, day, late_days)
    events = habits.events(good)
    events += [(user, dice.track_id(), at) for user, _, at in habits.events(parked)]
    lines = [dice.line(event) for event in events + [dice.pick(events) for _ in range(repeated)]]
    lines += map(_spoiled, range(bad), map(dice.values, habits.events(bad)))
    return "".join(f"{line}\n" for line in [",".join(STREAM_COLUMNS), *dice.shuffled(lines)]).encode()


def broken(day: date) -> dict[str, bytes]:
    """Return files that are quarantined, by their verdict."""
    return {"missing_columns": f"user_id,listen_time\n1,{day} 12:00:00\n".encode(), "empty_file": b""}


_T = TypeVar("_T")
_Event = tuple[int, str, datetime]


class _Dice:
    """Random choices and notations, made with ``Random.random`` only."""

    def __init__(self, seed: str) -> None:
        self.roll = Random(seed).random

    def below(self, end: int) -> int:
        return int(self.roll() * end)

    def pick(self, choices: Sequence[_T]) -> _T:
        return choices[self.below(len(choices))]

    def shuffled(self, items: Iterable[_T]) -> list[_T]:
        return [item for _, item in sorted(((self.roll(), item) for item in items), key=lambda pair: pair[0])]

    def track_id(self) -> str:
        return "".join(self.pick(digits + ascii_letters) for _ in range(22))

    def line(self, event: _Event) -> str:
        form = '"{user}",{track},"{time}"' if self.roll() < 0.02 else "{user},{track},{time}"
        return form.format_map(self.values(event))

    def values(self, event: _Event) -> dict[str, str]:
        user, track, at = event
        return {"user": f"{user:0{9 if self.roll() < 0.02 else 1}}", "track": track, "time": self.listen_time(at)}

    def listen_time(self, at: datetime) -> str:
        separator = "T" if self.roll() < 0.3 else " "
        zone, minutes = self.pick(_ZONES)
        fraction = ""
        if at.microsecond or self.roll() < 0.1:
            significant = len(f"{at.microsecond:06}".rstrip("0")) or 1
            nanoseconds = f"{at.microsecond:06}{self.below(1000):03}"
            fraction = "." + nanoseconds[: significant + self.below(10 - significant)]
        local_second = (at + timedelta(minutes=minutes)).replace(microsecond=0)
        return local_second.isoformat(separator) + fraction + zone


class _Habits:
    """The distribution of listens: few tracks are popular (Zipf's law), few users are active, evenings are busy."""

    def __init__(self, dice: _Dice, catalogue: Catalogue, day: date, late_days: int) -> None:
        self._dice = dice
        self._catalogue = catalogue
        self._midnight = datetime.combine(day, time())
        self._late_days = late_days
        self._popularity = list(accumulate(1 / rank for rank in range(1, len(catalogue.track_ids) + 1)))
        self._hours = list(accumulate(_LISTENS_BY_HOUR))
        self._heard: set[_Event] = set()

    def events(self, count: int) -> list[_Event]:
        """Return ``count`` events, none of which was returned before."""
        fresh: list[_Event] = []
        while len(fresh) < count:
            event = (self._user(), self._track(), self._instant())
            if event not in self._heard:
                self._heard.add(event)
                fresh.append(event)
        return fresh

    def _user(self) -> int:
        return self._catalogue.user_ids[int(self._dice.roll() * self._dice.roll() * len(self._catalogue.user_ids))]

    def _track(self) -> str:
        return self._catalogue.track_ids[self._weighted(self._popularity)]

    def _instant(self) -> datetime:
        seconds = self._weighted(self._hours) * 3600 + self._dice.below(3600)
        decimals = self._dice.pick((0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 4, 5, 6))
        microseconds = self._dice.below(10**decimals) * 10 ** (6 - decimals)
        is_late = self._late_days and self._dice.roll() < _LATE_SHARE
        days_ago = 1 + self._dice.below(self._late_days) if is_late else 0
        return self._midnight + timedelta(days=-days_ago, seconds=seconds, microseconds=microseconds)

    def _weighted(self, running_totals: Sequence[float]) -> int:
        return bisect_left(running_totals, self._dice.roll() * running_totals[-1])


def _spoiled(number: int, values: dict[str, str]) -> str:
    """Return the row with the ``number``-th defect: each reason in turn, and each form of a reason in turn."""
    cycle, position = divmod(number, len(DEFECTS))
    forms = tuple(DEFECTS.values())[position]
    return forms[cycle % len(forms)].format_map(values)


def _song_rows(dice: _Dice, track_ids: Sequence[str]) -> list[dict[str, str]]:
    """Return one row per track and genre, shuffled: names and durations of a track may differ, ids may be empty."""
    valid = [row for track_id in track_ids for row in _rows_of_track(dice, track_id)]
    invalid = [
        {**dice.pick(valid), "track_name": "Never to be seen", **_INVALID_SONGS[n % len(_INVALID_SONGS)]}
        for n in range(len(track_ids) // 20)
    ]
    rows = dice.shuffled(valid + invalid)
    numbers = dice.shuffled(range(len(rows)))
    return [{**row, "id": "" if dice.roll() < 0.1 else str(n)} for row, n in zip(rows, numbers, strict=True)]


def _rows_of_track(dice: _Dice, track_id: str) -> list[dict[str, str]]:
    title = dice.pick(_TITLES).format(dice.pick(_ADJECTIVES), dice.pick(_NOUNS))
    first_artist = dice.below(len(_ARTISTS))
    featured = dice.pick((0, 0, 0, 1, 2))
    first_genre = dice.below(len(_GENRES))
    row = {
        "track_id": track_id,
        "artists": ";".join(_ARTISTS[(first_artist + 5 * n) % len(_ARTISTS)] for n in range(1 + featured)),
        "album_name": title,
        "track_name": title,
        "popularity": str(dice.below(100)),
        "duration_ms": str(90_000 + dice.below(300_000)),
        "explicit": dice.pick(("False", "False", "True")),
        "key": str(dice.below(12)),
        "loudness": f"-{20 * dice.roll():.3f}",
        "mode": str(dice.below(2)),
        "tempo": f"{60 + 140 * dice.roll():.3f}",
        "time_signature": dice.pick(("3", "4", "4", "4")),
        "track_genre": _GENRES[first_genre],
    }
    row |= {column: f"{dice.roll():.3f}" for column in SONG_COLUMNS if column not in row}
    rows = [row]
    for n in range(1, dice.pick((1, 1, 1, 2, 3))):
        other = {**row, "track_genre": _GENRES[(first_genre + 5 * n) % len(_GENRES)]}
        if dice.roll() < 0.5:
            other |= {"track_name": f"{title} - Remastered", "duration_ms": str(90_000 + dice.below(300_000))}
        rows.append(other)
    return rows


def _user_rows(dice: _Dice, user_ids: Sequence[int]) -> list[dict[str, str]]:
    """Return one row for most users; for some several, with different or empty countries and zero-padded ids."""
    rows = []
    for user_id in user_ids:
        row = {
            "user_id": str(user_id),
            "user_name": f"{dice.pick(_NAMES)} {dice.pick(_SURNAMES)}",
            "user_age": str(18 + dice.below(60)),
            "user_country": "" if dice.roll() < 0.03 else dice.pick(_COUNTRIES),
            "created_at": str(date(2024, 1, 1) + timedelta(days=dice.below(366))),
        }
        rows.append(row)
        if dice.roll() < 0.05:
            rows.append({**row, "user_id": f"{user_id:07}", "user_country": dice.pick(("", *_COUNTRIES))})
    return dice.shuffled(rows)


def _csv(columns: Sequence[str], rows: Iterable[dict[str, str]]) -> bytes:
    """Return CSV as RFC 4180, with LF. The csv module quotes differently between versions, so this quotes itself."""
    lines = [",".join(columns), *(",".join(_quoted(row[column]) for column in columns) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def _quoted(field: str) -> str:
    return '"{}"'.format(field.replace('"', '""')) if set(field) & set('",\r\n') else field
