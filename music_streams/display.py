"""Numbers, timestamps and durations, formatted for people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from music_streams import clock

_BARS = "▁▂▃▄▅▆▇█"


def seconds(value: float | None) -> str:
    """Format seconds as ``3.4 s``; None is ''."""
    return "" if value is None else f"{value:.1f} s"


def span(value: float) -> str:
    """Format seconds as a duration in its largest unit: ``42 s``, ``5 min``, ``3 h``, ``12 d``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if value >= 2 * size:
            return f"{value // size:.0f} {unit}"
    return f"{max(value, 0):.0f} s"


def seconds_between(start: str, end: str) -> float | None:
    """Return the seconds between two timestamps; None if one is ''."""
    return (clock.parse(end) - clock.parse(start)).total_seconds() if start and end else None


def age(timestamp: str, now: datetime | None = None) -> float:
    """Return the seconds since a timestamp."""
    return ((now or datetime.now(UTC)) - clock.parse(timestamp)).total_seconds()


def size(count: int) -> str:
    """Format a number of bytes: ``42 B``, ``1.2 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:.1f} GB"


def plural(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 file``, ``2 files``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counts(by_name: Mapping[str, int]) -> str:
    """Format counts as ``5 duplicate, 2 bad_user_id``, the most frequent first."""
    ordered = sorted(by_name.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)


def days(values: Sequence[str]) -> str:
    """List up to three days; of more, the first, the last and their number."""
    if len(values) <= 3:
        return ", ".join(values)
    return f"{values[0]} … {values[-1]} ({len(values)} days)"


def dollars(millionths: int) -> str:
    """Format millionths of a US dollar: ``$0.000151``, ``$0.0151``, ``$12.30``."""
    value = millionths / 1_000_000
    digits = 6 if value < 0.01 else 4 if value < 1 else 2
    return f"${value:,.{digits}f}"


def hours(milliseconds: int) -> str:
    """Format listening time in hours."""
    return f"{milliseconds / 3_600_000:,.1f}"


def sparkline(values: Sequence[int]) -> str:
    """Draw one bar for each value; the scale is from zero to the greatest."""
    top = max(values, default=0)
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] if top else _BARS[0] for value in values)


def shortened(text: str, limit: int) -> str:
    """Return the text in one line of at most `limit` characters, cut at its end."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def escaped(text: str) -> str:
    r"""Return the text in one line: unprintable characters (line breaks, bidi marks) become ``\n`` or ``\u202e``."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def cut(text: str, limit: int) -> str:
    """Return the text in at most `limit` characters; a longer one loses its middle."""
    if len(text) <= limit:
        return text
    mark = " … "
    head = (limit - len(mark)) // 2
    return text[:head] + mark + text[len(text) - (limit - len(mark) - head) :]
