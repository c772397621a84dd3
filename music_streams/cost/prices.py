"""The one table of prices, and what units cost by it."""

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
    """A file of prices cannot be read, or names what is not billed."""


@dataclass(frozen=True)
class Prices:
    """Prices in US dollars.

    Attributes:
        region, as_of: where and when they were asked.
        of_one: the price of a single unit.
    """

    region: str
    as_of: str
    of_one: Mapping[Unit, Decimal]

    def cost(self, units: Units) -> Decimal:
        """What they cost, in US dollars."""
        return sum((self.of_one[unit] * amount for unit, amount in units.items()), Decimal(0))


@cache
def public() -> Prices:
    """The table that comes with the package."""
    told = _read(_TABLE)
    return Prices(told["region"], told["as_of"], _of_one(told, _TABLE))


def with_own(path: Path) -> Prices:
    """The table with the prices of a file in the place of the public ones.

    Raises:
        BadPrices: the file cannot be read, names an unknown unit, or has no number where one is needed.
    """
    told = _read(path)
    table = public()
    region, as_of = (str(told.get(name, getattr(table, name))) for name in ("region", "as_of"))
    return Prices(region, as_of, {**table.of_one, **_of_one(told, path)})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadPrices(f"the prices in {path} cannot be read: {error}") from error


def _of_one(told: dict[str, Any], path: Path) -> dict[Unit, Decimal]:
    found = {}
    for name, price in told.get("price", {}).items():
        try:
            found[Unit(name)] = Decimal(price["usd"]) / price["per"]
        except (KeyError, TypeError, ValueError, InvalidOperation, ZeroDivisionError):
            units = ", ".join(Unit)
            raise BadPrices(
                f"[price.{name}] of {path}: it must name one of {units}, with usd (a text) and per (a number)"
            ) from None
    return found
