"""The table of prices, and the cost of units."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from music_streams.cost.units import Unit, Units
from music_streams.errors import MusicStreamsError

_TABLE = Path(__file__).parent / "prices.toml"


class BadPrices(MusicStreamsError):
    """A file of prices cannot be read, or has an unknown unit or an invalid price."""


@dataclass(frozen=True)
class Prices:
    """Prices in US dollars of a region at a date; `of_one` has the price of a single unit."""

    region: str
    as_of: str
    of_one: Mapping[Unit, Decimal]

    def cost(self, units: Units) -> Decimal:
        """Return the cost of the units in US dollars."""
        return sum((self.of_one[unit] * amount for unit, amount in units.items()), Decimal(0))


@cache
def public() -> Prices:
    """Return the package's table of public prices."""
    content = _read(_TABLE)
    return Prices(content["region"], content["as_of"], _of_one(content, _TABLE))


def with_own(path: Path) -> Prices:
    """Return the table with a file's prices instead of the public ones.

    Raises:
        BadPrices: the file cannot be read, or has an unknown unit or an invalid price.
    """
    content = _read(path)
    table = public()
    region, as_of = (str(content.get(name, getattr(table, name))) for name in ("region", "as_of"))
    return Prices(region, as_of, {**table.of_one, **_of_one(content, path)})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadPrices(f"cannot read the prices in {path}: {error}") from error


def _of_one(content: dict[str, Any], path: Path) -> dict[Unit, Decimal]:
    prices = {}
    for name, price in content.get("price", {}).items():
        try:
            prices[Unit(name)] = Decimal(price["usd"]) / price["per"]
        except (KeyError, TypeError, ValueError, InvalidOperation, ZeroDivisionError):
            units = ", ".join(Unit)
            raise BadPrices(
                f"invalid [price.{name}] in {path}: use one of {units}, with usd (a string) and per (a number)"
            ) from None
    return prices
