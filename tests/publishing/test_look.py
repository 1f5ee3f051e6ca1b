"""One visual language: the same bands have the same colours and limits on every chart, and every
chart of a risk says that 100 is the highest."""

import ast
import csv
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from orchestration.publishing.bundle import FOLDER
from orchestration.settings import REPOSITORY

RISKS = {
    *("score", "score_now", "risk", "contribution", "adds", "worst_severity", "severity"),
    *("by_news", "largest_change", "of_peers", "peer_mean", "baseline", "mean_difference"),
}
CONFIG = REPOSITORY / "superset" / "superset_config.py"


def files(kind: str) -> list[Any]:
    found = [yaml.safe_load(file.read_text()) for file in sorted((FOLDER / kind).glob("*.yaml"))]
    assert found
    return found


def texts(value: Any) -> Iterator[str]:
    """Every text in nested lists and mappings, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    else:
        yield str(value)


@pytest.fixture(scope="module")
def colours() -> dict[str, str]:
    """Of the bands, as Superset's configuration says; it cannot be imported without Superset."""
    for statement in ast.parse(CONFIG.read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "BANDS":
            found: dict[str, str] = ast.literal_eval(statement.value)
            return found
    raise AssertionError(f"{CONFIG} names no BANDS")


@pytest.fixture(scope="module")
def limits() -> dict[str, float]:
    with (REPOSITORY / "dbt_project" / "seeds" / "risk_bands.csv").open() as file:
        return {row["band"]: float(row["lowest_score"]) for row in csv.DictReader(file)}


def test_every_chart_that_shows_a_risk_says_that_100_is_the_highest() -> None:
    silent = []
    for chart in files("charts"):
        shown = set(texts(chart["params"]))
        says = " ".join([chart["slice_name"], *shown])
        if RISKS & shown and "100 = highest" not in says:
            silent.append(chart["slice_name"])
    assert silent == []


def test_every_dashboard_says_who_read_the_news() -> None:
    charts = {chart["uuid"]: chart for chart in files("charts")}
    for dashboard in files("dashboards"):
        placed = [
            charts[place["meta"]["uuid"]]
            for place in dashboard["position"].values()
            if isinstance(place, dict) and place["type"] == "CHART"
        ]
        assert any("read_by" in set(texts(chart["params"])) for chart in placed), dashboard["slug"]


def test_the_bands_have_the_same_colours_in_every_dashboard(colours: dict[str, str]) -> None:
    for dashboard in files("dashboards"):
        labels = dashboard["metadata"]["label_colors"]
        assert {band: labels[band] for band in colours} == colours, dashboard["slug"]


def test_cells_are_coloured_by_the_limits_of_the_scoring_policy(
    colours: dict[str, str], limits: dict[str, float]
) -> None:
    tables = 0
    for chart in files("charts"):
        rules = chart["params"].get("conditional_formatting", [])
        by_colour = {rule["colorScheme"][:7]: rule for rule in rules}
        if colours["medium"] not in by_colour:
            continue
        tables += 1
        rule = by_colour[colours["critical"]]
        assert (rule["operator"], rule["targetValue"]) == ("≥", limits["critical"])
        for band, above in (("high", "critical"), ("medium", "high")):
            rule = by_colour[colours[band]]
            assert rule["operator"] == "≤ x <"
            assert rule["targetValueLeft"] == limits[band]
            assert rule["targetValueRight"] == limits[above]
        rule = by_colour[colours["low"]]
        assert (rule["operator"], rule["targetValue"]) == ("<", limits["medium"])
    assert tables >= 6
