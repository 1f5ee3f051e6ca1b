"""What a refresh leaves in Dagster: rows, the way of each column, and dbt's tests as checks."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.job_names import REFRESH_MARTS
from orchestration.resources.postgres import Connection
from orchestration.settings import PostgresSettings
from orchestration.transformation.assets import dbt_models
from orchestration.transformation.build_metadata import trace
from tests.conftest import Analyst
from tests.migrations.test_roles import connect_as
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_documents, run
from tests.transformation.building import rows
from tests.transformation.test_marts import news

FUTURE = "no_document_is_dated_after_it_came"
LEVELS = "accepted_values_stg_findings_level__False__0__1__2__3__4__5"


@pytest.fixture
def scored(connection: Connection, analyst: Analyst) -> Connection:
    land_documents(connection, [news(BANKRUPTCY, "2199-01-01"), news(RECALL, "2026-03-01")])
    run(connection, analyst.settings)
    return connection


def refresh() -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_job_def(REFRESH_MARTS)
        return job.execute_in_process(instance=instance, raise_on_error=False)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Mapping[str, Any]]:
    """The metadata of what was built, by the name of the table."""
    return {
        event.asset_key.to_user_string(): {
            name: value.value for name, value in event.metadata.items()
        }
        for event in result.asset_materializations_for_node("dbt_models")
    }


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_a_refresh_tells_rows_columns_and_checks(
    scored: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    result = refresh()
    assert result.success
    assert "has less metadata" not in caplog.text
    built = metadata(result)
    assert set(built) == {key.to_user_string() for key in dbt_models.keys}
    counts = {name: told.get("dagster/row_count") for name, told in built.items()}
    for mart in ("supplier_risk_current", "risk_events", "risk_evidence"):
        assert rows(scored, f"select count(*) from marts.{mart}") == [(counts[mart],)]
    assert counts["risk_bands"] == 4
    assert counts["dead_letters_current"] is None, "the rows of a view are not counted"
    models = {name for name, told in built.items() if told["unique_id"].startswith("model.")}
    assert {name for name, told in built.items() if "dagster/column_lineage" in told} == models
    score = built["supplier_risk_current"]["dagster/column_lineage"].deps_by_column["score"]
    assert [(dep.asset_key.to_user_string(), dep.column_name) for dep in score] == [
        ("supplier_risk_daily", "score"),
    ]
    quote = built["stg_findings"]["dagster/column_lineage"].deps_by_column["quote"]
    assert [(dep.asset_key.to_user_string(), dep.column_name) for dep in quote] == [
        ("risk_findings", "quote")
    ]
    evaluated = checks(result)
    assert set(evaluated) == {spec.name for spec in dbt_models.check_specs}
    assert [name for name, check in evaluated.items() if not check.passed] == [FUTURE]
    assert evaluated[FUTURE].severity == dg.AssetCheckSeverity.WARN
    assert not result.get_asset_observation_events()


def test_a_check_that_fails_stops_what_is_built_on_it_and_the_rest_is_told(
    scored: Connection, database: PostgresSettings
) -> None:
    with connect_as(database, "migrator") as owner:
        owner.execute("alter table risk.findings drop constraint findings_level_check")
        owner.execute("update risk.findings set level = 6")
    result = refresh()
    assert not result.success
    (failed,) = [c for c in checks(result).values() if not c.passed and c.check_name != FUTURE]
    assert failed.check_name == LEVELS
    assert failed.asset_key == dg.AssetKey("stg_findings")
    assert failed.severity == dg.AssetCheckSeverity.ERROR
    built = metadata(result)
    assert built["pipeline_reconciliation"]["dagster/row_count"] == 1
    assert "dagster/column_lineage" in built["stg_documents"]
    assert not {"int_current_findings", "supplier_risk_current", "risk_evidence"} & set(built)


def test_a_column_is_traced_through_expressions_joins_and_unions() -> None:
    sql = """
        with both as (
            select id, a as x from "db"."s"."one" union all select id, b as x from "db"."s"."two"
        )
        select both.id, both.x * three.weight as y, count(*) as n, 1 as constant
        from both inner join "db"."s"."three" using (id)
        group by both.id, both.x, three.weight
    """
    one, two, three = ("s", "one"), ("s", "two"), ("s", "three")
    tables = {one: ["id", "a"], two: [], three: ["id", "weight"]}
    assert trace(sql, tables) == {
        "id": {(one, "id"), (two, "id")},
        "y": {(one, "a"), (two, "b"), (three, "weight")},
        "n": set(),
        "constant": set(),
    }
