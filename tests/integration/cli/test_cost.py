"""The cost of a workload, without a pipeline and without an account."""

import json

import pytest

from tests.unit.cli.conftest import bare_environment, run
from tests.unit.cli.golden import check

__all__ = ["bare_environment", "run"]


@pytest.mark.parametrize(
    "command",
    ["cost", "cost --files-per-day 10000 --rows-per-file 100 --window 300", "cost --files-per-day 100000 --window 1"],
)
def test_the_monthly_cost_of_both_designs_equals_its_golden_file(run, golden, command):
    ended = run(*command.split())
    assert ended.exit_code == 0, ended.stderr
    check(golden / f"{command}.txt", ended.stdout)


def test_json_has_the_same_numbers(run):
    month = json.loads(run("cost", "--json").stdout)
    for name in ("ours", "polling"):
        services = month[name]["services"].values()
        assert month[name]["usd"] == pytest.approx(sum(service["usd"] for service in services), abs=0.01)
    assert month["ours"]["usd"] < month["polling"]["usd"]
    assert f"{month['ours']['usd']:,.2f}" in run("cost").stdout


def test_own_prices_replace_public_prices(run, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('region = "mars"\n[price.glue_dpu_seconds]\nusd = "0.88"\nper = 3600\n')
    dear, usual = (json.loads(run("cost", "--json", *more).stdout)["ours"] for more in (["--prices", own], []))
    for job in ("Glue Spark", "Glue Python Shell"):
        assert dear["services"][job]["usd"] == pytest.approx(2 * usual["services"][job]["usd"], abs=0.001)
    assert dear["services"]["Lambda"] == usual["services"]["Lambda"]
    assert "mars" in run("cost", "--prices", own).stdout


def test_an_invalid_price_file_is_wrong_usage(run, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text("[price.postage]")
    ended = run("cost", "--prices", own)
    assert ended.exit_code == 2
    assert "postage" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("options", ["--files-per-day 0", "--window 301", "--batch-size 1", "--prices none.toml"])
def test_invalid_options_are_wrong_usage(run, options):
    assert run("cost", *options.split()).exit_code == 2
