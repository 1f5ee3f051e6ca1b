"""The seeds that describe the world: every country with its usual name, and a baseline for most."""

import csv
from decimal import Decimal

import pycountry
import pytest

from orchestration.scoring.countries import country_name
from orchestration.transformation.project import FOLDER


def seed(name: str) -> list[dict[str, str]]:
    with (FOLDER / "seeds" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_seed_of_countries_holds_each_country_with_the_name_that_prompts_use() -> None:
    expected = {
        country.alpha_2: (country.alpha_3, country_name(country.alpha_2))
        for country in pycountry.countries
    }
    rows = seed("countries")
    assert {r["country"]: (r["country_iso3"], r["country_name"]) for r in rows} == expected
    assert all(row["region"] for row in rows)


@pytest.mark.parametrize(("country", "rank"), [("CF", "4.25"), ("MT", "80.66")])
def test_the_baseline_is_what_the_world_bank_published(country: str, rank: str) -> None:
    (row,) = [row for row in seed("country_baseline") if row["country"] == country]
    assert row["percentile_rank"] == rank


def test_the_baseline_turns_a_rank_round_so_that_100_is_the_highest_risk() -> None:
    rows = seed("country_baseline")
    assert len(rows) > 200
    for row in rows:
        assert Decimal(row["baseline_risk"]) == 100 - Decimal(row["percentile_rank"])
