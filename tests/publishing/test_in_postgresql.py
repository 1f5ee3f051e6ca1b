"""What the check without a database cannot know: PostgreSQL takes every query of the dashboards,
from the role that Superset has, and returns what the datasets list."""

from collections.abc import Iterator

import psycopg
import pytest

from orchestration.publishing.bundle import Bundle, Dataset, read
from orchestration.publishing.dataset_sql import agree
from orchestration.settings import PostgresSettings
from tests.migrations.test_roles import connect_as
from tests.transformation.building import build

Reader = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def reader(database: PostgresSettings) -> Iterator[Reader]:
    build("2026-03-31")
    with connect_as(database, "bi_reader") as connection:
        yield connection


def test_every_dataset_metric_and_filter_can_be_asked_and_has_the_type_that_it_says(
    reader: Reader,
) -> None:
    bundle = read()
    assert bundle.datasets, "there is no bundle"
    trouble = [
        f"{dataset.file}: {line}"
        for dataset in bundle.datasets
        for line in (*columns(reader, dataset), *asked(reader, bundle, dataset))
    ]
    assert not trouble, "\n".join(trouble)


def columns(reader: Reader, dataset: Dataset) -> Iterator[str]:
    """Of the query, and of each calculated column: that it runs, and its type."""
    returned = types(reader, f"select * from {source(dataset)} limit 0")
    if isinstance(returned, str):
        yield returned
        return
    for column in dataset.columns:
        found: dict[str, str] | str = returned
        if column.expression:
            query = f"select {column.expression} as {column.name} from {source(dataset)} limit 0"
            found = types(reader, query)
        if isinstance(found, str):
            yield f"{column.name}: {found}"
        elif column.name not in found:
            yield f"{column.name} is not returned"
        elif column.type is None or not agree(column.type, found[column.name]):
            yield f"{column.name} is listed as {column.type}, and is {found[column.name]}"


def asked(reader: Reader, bundle: Bundle, dataset: Dataset) -> Iterator[str]:
    """Its metrics, and the conditions in SQL of its charts."""
    for metric in dataset.metrics:
        found = types(reader, f"select {metric.expression} as metric from {source(dataset)}")
        if isinstance(found, str):
            yield f"{metric.name}: {found}"
    for chart in bundle.charts:
        for condition in chart.params.get("adhoc_filters") or []:
            if chart.dataset_uuid == dataset.uuid and condition["expressionType"] == "SQL":
                where = f"where {condition['sqlExpression']}"
                found = types(reader, f"select 1 as one from {source(dataset)} {where} limit 0")
                if isinstance(found, str):
                    yield f"{chart.file}: {found}"


def source(dataset: Dataset) -> str:
    """As Superset asks it."""
    if dataset.sql is None:
        return f"{dataset.schema}.{dataset.table_name}"
    return f"({dataset.sql}\n) as virtual_table"


def types(reader: Reader, query: str) -> dict[str, str] | str:
    """The type of each column that a query returns; what PostgreSQL says where it refuses."""
    try:
        described = reader.execute(query.encode()).description
    except psycopg.Error as error:
        return str(error)
    assert described is not None
    return {column.name: column.type_display for column in described}
