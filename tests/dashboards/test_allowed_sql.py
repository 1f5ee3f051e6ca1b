"""The SQL that Superset runs for people without SQL Lab: all of the bundle's, and nothing else."""

import importlib.util
from collections.abc import Callable, Iterator

import pytest

from orchestration.local import dashboards
from orchestration.publishing.bundle import read
from tests.dashboards.evil_sql import EVIL


def checked() -> Callable[[str], str]:
    """superset/ is Superset's own folder, and no package of ours."""
    spec = importlib.util.spec_from_file_location(
        "allowed_sql", dashboards.SOURCE / "allowed_sql.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], str] = module.only_allowed
    return found


only_allowed = checked()
FROM = "FROM (select risks.* from marts.supplier_risk_current as risks) AS virtual_table"
RULE = "(supplier_category = 'electronics' OR supplier_category = 'metals' OR 1 = 0)"


def of_the_bundle() -> Iterator[str]:
    """As Superset asks: each dataset, with each of its columns, metrics and conditions."""
    bundle = read()
    for dataset in bundle.datasets:
        source = f"{dataset.schema}.{dataset.table_name}"
        if dataset.sql is not None:
            source = f"(\n{dataset.sql}\n) AS virtual_table"
        expressions = [column.expression or column.name for column in dataset.columns]
        expressions += [metric.expression for metric in dataset.metrics]
        conditions = [
            condition["sqlExpression"]
            for chart in bundle.charts
            for condition in chart.params.get("adhoc_filters") or []
            if chart.dataset_uuid == dataset.uuid and condition["expressionType"] == "SQL"
        ]
        for expression in expressions:
            yield f'SELECT {expression} AS "Shown" \nFROM {source} \nWHERE {RULE}'
        for condition in conditions:
            yield f"SELECT 1 AS one \nFROM {source} \nWHERE ({condition}) AND {RULE} \n LIMIT 10"


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize(
    "query",
    [
        f"SELECT %s AS stolen \n{FROM} \nWHERE {RULE} \n LIMIT 10",
        f"SELECT supplier_name AS supplier_name \n{FROM} \nWHERE (%s) IS NULL AND {RULE}",
        f"SELECT max(score) AS score \n{FROM} \nWHERE {RULE} HAVING (%s) IS NULL",
        f"SELECT supplier_name AS supplier_name \n{FROM} \nWHERE {RULE} ORDER BY %s DESC",
        "SELECT 1 AS one \nFROM (select %s as stolen from marts.risk_events) AS virtual_table",
    ],
)
def test_each_evil_spelling_is_refused_wherever_it_stands(query: str, evil: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be read| in |not one SELECT"):
        only_allowed(query % evil)


@pytest.mark.parametrize(
    "sql",
    [
        "select 1; select 2",
        "delete from marts.risk_events",
        "explain analyze select 1",
        "with gone as (delete from marts.risk_events returning 1) select 1 from gone",
        "select rolname from pg_catalog.pg_roles",
        "select rolname from pg_roles",
        "select supplier_name from other.marts.risk_events",
        "select a from marts.risk_events, generate_series(1, 1000000000) as a",
        "select a from marts.risk_events, ts_stat('select 1') as a",
        "select supplier_name into mine from marts.risk_events",
        "select supplier_name from marts.risk_events for update",
        "select supplier_name from marts.risk_events union select supplier_name from marts.b",
        "select 'x",
        "",
    ],
)
def test_what_is_no_single_query_of_the_marts_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be read| in |not one SELECT"):
        only_allowed(sql)


def test_every_query_of_the_bundle_is_allowed_and_stays_the_same_query() -> None:
    queries = list(of_the_bundle())
    assert len(queries) > 100
    for query in queries:
        once = only_allowed(query)
        assert only_allowed(once) == once


@pytest.mark.parametrize(
    "condition",
    [
        "as_of_date >= TO_DATE('2026-01-01', 'YYYY-MM-DD')",
        "seen_at < TO_TIMESTAMP('2026-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')",
        "DATE_TRUNC('week', as_of_date) IS NOT NULL",
        "supplier_name IN ('O''Neill', 'b') AND country NOT IN ('DE') AND NOT is_complete",
        "supplier_name ILIKE '%a%' OR supplier_name LIKE 'ts_stat(%' AND score BETWEEN 1 AND 2",
    ],
)
def test_what_superset_adds_for_filters_is_allowed(condition: str) -> None:
    only_allowed(
        f"SELECT count(*) AS count \n{FROM} \nWHERE {condition} GROUP BY a ORDER BY a DESC"
    )


def test_what_runs_is_what_was_understood_so_that_no_name_is_read_in_another_way() -> None:
    asked = "SELECT User /* ts_stat( */, 'it''s' AS \"A\" -- and\nFROM marts.risk_events LIMIT 1"
    assert only_allowed(asked) == (
        'SELECT "user", \'it\'\'s\' AS "A" FROM "marts"."risk_events" LIMIT 1'
    )
