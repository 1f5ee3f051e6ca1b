"""Everything that dbt builds says what it is: each table its grain, each column its meaning, each
mart the dashboards that show it; and the database agrees."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from orchestration.resources.postgres import Connection
from orchestration.settings import PostgresSettings
from orchestration.transformation.assets import dbt_models
from orchestration.transformation.project import MANIFEST
from tests.migrations.test_roles import connect_as
from tests.transformation.building import build, failures, rows

Node = Mapping[str, Any]
AS_OF = "2026-03-31"
DASHBOARDS = {"overview", "supplier", "country", "evidence_and_audit", "llm_operations"}
LAYERS = {"staging", "intermediate", "marts", "policy"}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(MANIFEST.read_text())
    return manifest


@pytest.fixture
def relations(manifest: dict[str, Any]) -> dict[str, Node]:
    """Models and seeds by schema and name, such as marts.risk_events."""
    return {
        f"{node['schema']}.{node['name']}": node
        for node in manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
    }


def test_every_table_says_its_grain_and_stands_in_a_known_layer(
    relations: dict[str, Node],
) -> None:
    without = [name for name, node in relations.items() if "Grain: " not in node["description"]]
    assert not without, f"the description must say `Grain: ...`: {without}"
    assert {name.partition(".")[0] for name in relations} == LAYERS


def test_every_column_that_is_built_is_described_and_no_other(
    relations: dict[str, Node], connection: Connection
) -> None:
    build(AS_OF)
    built = columns_of(connection)
    trouble = [
        line
        for name, node in sorted(relations.items())
        for line in differences(name, node["columns"], built.get(name, {}))
    ]
    unknown = sorted(built.keys() - relations.keys())
    trouble += [f"{name}: is in the database, and dbt builds no such table" for name in unknown]
    assert not trouble, "\n".join(["YAML and database differ:", *trouble])


def columns_of(connection: Connection) -> dict[str, dict[str, str]]:
    """For each table or view of dbt, its columns and their types as PostgreSQL names them."""
    found: dict[str, dict[str, str]] = {}
    for name, column, data_type in rows(
        connection,
        """
        select
            schema.nspname || '.' || relation.relname as relation_name,
            attribute.attname as column_name,
            format_type(attribute.atttypid, attribute.atttypmod) as data_type
        from pg_attribute as attribute
        inner join pg_class as relation on attribute.attrelid = relation.oid
        inner join pg_namespace as schema on relation.relnamespace = schema.oid
        where
            schema.nspname in ('policy', 'staging', 'intermediate', 'marts')
            and relation.relkind in ('r', 'v', 'm')
            and attribute.attnum > 0
            and not attribute.attisdropped
        """,
    ):
        found.setdefault(name, {})[column] = data_type
    return found


def differences(name: str, described: Mapping[str, Node], built: dict[str, str]) -> Iterator[str]:
    if not built:
        yield f"{name}: was not built"
        return
    for column in sorted(built.keys() | described.keys()):
        if column not in built:
            yield f"{name}.{column}: is described, and does not exist"
        elif column not in described or not described[column]["description"]:
            yield f"{name}.{column} ({built[column]}): has no description"
        elif (wanted := described[column]["data_type"]) not in {None, built[column]}:
            yield f"{name}.{column}: is described as {wanted}, and is {built[column]}"


def test_the_descriptions_of_marts_stand_in_the_database_also_of_views(
    relations: dict[str, Node], connection: Connection
) -> None:
    build(AS_OF)
    shown = dict(
        rows(
            connection,
            "select table_name || '.' || column_name as name, col_description("
            "('marts.' || table_name)::regclass, ordinal_position) as description"
            " from information_schema.columns where table_schema = 'marts'"
            " union all select relname, obj_description(oid, 'pg_class') from pg_class"
            " where relnamespace = 'marts'::regnamespace and relkind in ('r', 'v')",
        )
    )
    wanted = {}
    for node in relations.values():
        if node["schema"] == "marts":
            wanted[node["name"]] = node["description"]
            for column in node["columns"].values():
                wanted[f"{node['name']}.{column['name']}"] = column["description"]
    assert shown == wanted
    assert "view" in {node["config"]["materialized"] for node in relations.values()}


@pytest.mark.parametrize(
    ("layer", "keeps"), [("staging", "contract"), ("marts", "contract"), ("marts", "persist_docs")]
)
def test_a_layer_is_configured_as_a_whole(
    relations: dict[str, Node], layer: str, keeps: str
) -> None:
    wanted = {"contract": {"enforced": True}, "persist_docs": {"relation": True, "columns": True}}
    for name, node in relations.items():
        if node["schema"] == layer:
            config = node["config"][keeps]
            assert {key: config[key] for key in wanted[keeps]} == wanted[keeps], name


def test_a_source_table_that_changed_fails_at_once(database: PostgresSettings) -> None:
    with connect_as(database, "migrator") as owner:
        owner.execute("alter table ingest.suppliers alter column tier type text")
    failed = failures("run", "--select", "stg_suppliers", as_of=AS_OF)
    assert failed == ["stg_suppliers"]


def test_every_mart_is_shown_by_a_dashboard_and_dashboards_show_nothing_else(
    manifest: dict[str, Any],
) -> None:
    exposures = {node["name"]: node for node in manifest["exposures"].values()}
    assert set(exposures) == DASHBOARDS
    for exposure in exposures.values():
        assert exposure["type"] == "dashboard"
        assert exposure["description"]
    shown = {key for node in exposures.values() for key in node["depends_on"]["nodes"]}
    marts = {key for key, node in manifest["nodes"].items() if node["schema"] == "marts"}
    assert marts - shown == set(), "no exposure in models/exposures.yml depends on them"
    assert shown - marts == set(), "only marts are meant to be shown"


def test_every_dbt_test_of_data_is_a_check_of_an_asset(manifest: dict[str, Any]) -> None:
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    checks = {spec.name for spec in dbt_models.check_specs}
    assert tests - checks == set(), (
        "a test in tests/ of more than one model names the one that it checks: "
        "config(meta={'dagster': {'ref': {'name': ...}}})"
    )
