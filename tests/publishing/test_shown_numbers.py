"""What the datasets of the dashboards count, beside what a person would count."""

from collections.abc import Iterator

import psycopg
import pytest

from orchestration.publishing.bundle import Chart, read
from orchestration.settings import PostgresSettings
from tests.migrations.test_roles import connect_as
from tests.publishing.marts import Marts
from tests.publishing.test_in_postgresql import source

Rows = list[tuple[object, ...]]


class Datasets:
    """Asked as Superset asks them, from its role."""

    def __init__(self, reader: psycopg.Connection[tuple[object, ...]]) -> None:
        self._reader = reader
        self._bundle = read()

    def ask(self, name: str, *shown: str, rest: str = "") -> Rows:
        """Metrics and columns of a dataset."""
        [dataset] = [one for one in self._bundle.datasets if one.table_name == name]
        known = {metric.name: metric.expression for metric in dataset.metrics}
        known |= {column.name: column.expression or column.name for column in dataset.columns}
        query = f"select {', '.join(known[one] for one in shown)} from {source(dataset)} {rest}"
        return self._reader.execute(query.encode()).fetchall()

    def number(self, file: str) -> object:
        """The big number of a chart, with its own filters."""
        [chart] = [one for one in self._bundle.charts if one.file == f"charts/{file}.yaml"]
        [dataset] = [one for one in self._bundle.datasets if one.uuid == chart.dataset_uuid]
        rest = f"where {' and '.join(conditions(chart))}"
        [(number,)] = self.ask(dataset.table_name, chart.params["metric"], rest=rest)
        return number


def conditions(chart: Chart) -> Iterator[str]:
    signs = {"==": "=", "!=": "<>"}
    for one in chart.params["adhoc_filters"]:
        if one["expressionType"] == "SQL":
            yield one["sqlExpression"]
        else:
            yield f"{one['subject']} {signs[one['operator']]} '{one['comparator']}'"


@pytest.fixture
def datasets(marts: Marts, database: PostgresSettings) -> Iterator[Datasets]:
    """Of rows that `marts` holds when they are asked."""
    with connect_as(database, "bi_reader") as reader:
        yield Datasets(reader)


def test_the_riskiest_supplier_is_that_of_the_overall_risk(
    marts: Marts, datasets: Datasets
) -> None:
    marts.pair("acme", 60)
    marts.pair("beta", 70)
    marts.pair("silent", None)
    dimension = {"dimension": "financial", "score": 95, "band": "critical", "country": "MX"}
    marts.insert("supplier_risk_current", supplier_id="acme", supplier_name="Acme", **dimension)
    rest = "group by supplier_name order by 2 desc"
    assert datasets.ask("supplier_risk_current", "supplier_name", "highest_first", rest=rest) == [
        ("Beta", 70),
        ("Acme", 60),
        ("Silent", -1),
    ]


def test_a_keyword_is_compared_over_the_last_full_week_alone(
    marts: Marts, datasets: Datasets
) -> None:
    """As of Tuesday, 2026-03-31: the week of 03-23 is the last that is over."""
    for word, week, findings, change in [
        ("fire", "2026-03-09", 5, 5),
        ("fire", "2026-03-16", 2, -3),
        ("fire", "2026-03-23", 6, 4),
        ("fire", "2026-03-30", 1, -5),
        ("flood", "2026-03-09", 1, 1),
        ("flood", "2026-03-16", 0, -1),
    ]:
        counts = {"findings": findings, "change": change, "is_complete": week != "2026-03-30"}
        marts.insert("keyword_trends", keyword=word, dimension="operational", week=week, **counts)
    rest = "group by keyword order by keyword"
    assert datasets.ask("keyword_trends", "keyword", "finding_count", "more", rest=rest) == [
        ("fire", 14, 4),
        ("flood", 1, None),
    ]


def test_a_supplier_critical_elsewhere_for_long_is_not_newly_critical(
    marts: Marts, datasets: Datasets
) -> None:
    def change(supplier: str, country: str, before: str, now: str) -> None:
        bands = {"band_before": before, "band_now": now, "score_now": 80, "main_cause": "none"}
        names = {"supplier_name": supplier.capitalize(), "country": country}
        marts.insert("risk_changes", supplier_id=supplier, dimension="overall", **names, **bands)

    change("known", "DE", "critical", "critical")
    change("known", "MX", "high", "critical")
    change("moved", "DE", "critical", "low")
    change("moved", "MX", "high", "critical")
    change("fresh", "DE", "high", "critical")
    change("fresh", "MX", "no signal", "critical")
    assert datasets.number("newly_critical") == 1


def test_peers_are_the_suppliers_of_a_category_wherever_they_are(
    marts: Marts, datasets: Datasets
) -> None:
    def score(supplier: str, country: str, value: int, dimension: str = "financial") -> None:
        names = {"supplier_name": supplier.capitalize(), "supplier_category": "metals"}
        row = {"country": country, "dimension": dimension, "score": value, "band": "low"}
        marts.insert("supplier_risk_current", supplier_id=supplier, **names, **row)

    score("acme", "DE", 90)
    score("acme", "MX", 70)
    score("beta", "DE", 80)
    score("gamma", "MX", 10)
    score("gamma", "MX", 50, dimension="operational")
    shown = ("supplier_id", "score", "peer_rank", "peer_count", "peer_mean")
    rest = "where risk_dimension = 'Financial' order by peer_rank"
    assert datasets.ask("supplier_peers", *shown, rest=rest) == [
        ("acme", 90, 1, 3, 60),
        ("beta", 80, 2, 3, 60),
        ("gamma", 10, 3, 3, 60),
    ]


def test_the_map_of_countries_shows_the_risk_of_the_country_not_of_its_worst_supplier(
    marts: Marts, datasets: Datasets
) -> None:
    row = {"dimension": "overall", "band": "high", "weighted_by": "none"}
    names = {"country": "CL", "country_name": "Chile", "worst_supplier_name": "Acme"}
    marts.insert("country_risk_current", score=64, worst_score=90, **row, **names)
    marts.pair("acme", 90, country="CL")
    rest = "where country_name = 'Chile' group by country order by country"
    assert datasets.ask("country_risk_map", "country", "risk", rest=rest) == [
        ("BV", 0),
        ("CL", 64),
        ("HM", 100),
    ]
