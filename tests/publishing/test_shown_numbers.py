"""What the datasets of the dashboards count, beside what a person would count."""

from collections.abc import Iterator

import psycopg
import pytest

from orchestration.publishing.bundle import read
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
