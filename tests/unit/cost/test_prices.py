"""The table of prices, and the cost of units."""

from decimal import Decimal

import pytest

from music_streams.cost import prices
from music_streams.cost.prices import BadPrices
from music_streams.cost.units import Unit, add, multiply


def test_every_unit_has_a_price():
    assert set(prices.public().of_one) == set(Unit)
    assert all(price > 0 for price in prices.public().of_one.values())


def test_the_cost_of_units_is_by_the_table():
    units = {Unit.GLUE_DPU_SECONDS: Decimal(7_200), Unit.WRITE_UNITS: Decimal(1_000_000)}
    assert prices.public().cost(units) == pytest.approx(Decimal("0.88") + Decimal("0.625"))


def test_units_add_up_and_multiply():
    one, other = {Unit.EVENTS: Decimal(1)}, {Unit.EVENTS: Decimal(2), Unit.KEYS: Decimal(1)}
    assert add(one, multiply(other, 3)) == {Unit.EVENTS: 7, Unit.KEYS: 3}


def test_own_prices_replace_those_that_they_name(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('region = "eu-central-1"\n[price.events]\nusd = "2"\nper = 1000\n')
    combined = prices.with_own(own)
    assert (combined.region, combined.of_one[Unit.EVENTS]) == ("eu-central-1", Decimal("0.002"))
    assert combined.of_one[Unit.KEYS] == prices.public().of_one[Unit.KEYS]
    assert prices.public().of_one[Unit.EVENTS] == Decimal("0.000001")


@pytest.mark.parametrize(
    "text",
    [
        '[price.postage]\nusd = "1"\nper = 1',
        "[price.events]\nper = 1",
        '[price.events]\nusd = "cheap"\nper = 1',
        '[price.events]\nusd = "1"\nper = 0',
        '[price.events]\nusd = "1"\nper = "many"',
        "not toml",
    ],
)
def test_the_error_for_an_invalid_price_file_names_the_file(tmp_path, text):
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(BadPrices, match=r"own\.toml"):
        prices.with_own(own)
