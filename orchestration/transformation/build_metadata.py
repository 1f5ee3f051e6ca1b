"""What Dagster is told of each table that dbt built: how many rows it has, and which columns of
which tables its columns come from.

dagster-dbt offers both, but it spins on a core while dbt works and reads each query anew for each
column, which nearly doubles the CPU time of a refresh.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation
from dbt_common.exceptions import DbtDatabaseError
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

_DIALECT = "postgres"


def with_row_counts_and_lineage(invocation: DbtCliInvocation) -> Iterator[Any]:
    """The events of a build as they come; what models and seeds yield knows rows and columns.

    Where that fails, the table is well all the same: it is logged, and the build goes on.
    """
    for event in invocation.stream():
        if not isinstance(event, dg.Output):
            yield event
            continue
        node = invocation.manifest["nodes"][event.metadata["unique_id"].value]
        metadata = dict(event.metadata)
        try:
            metadata |= _row_count(invocation, node)
            metadata |= _column_lineage(invocation, node)
        except (DbtDatabaseError, SqlglotError, ValueError) as error:
            dg.get_dagster_logger().warning("%s has less metadata: %s", node["name"], error)
        yield event.with_metadata(metadata)


def _row_count(invocation: DbtCliInvocation, node: Mapping[str, Any]) -> dict[str, Any]:
    """Of a table; the rows of a view are those of the tables below it."""
    adapter = invocation.adapter
    if adapter is None or node["config"]["materialized"] == "view":
        return {}
    # closed at once: an open transaction on this table would stop dbt from replacing it
    with adapter.connection_named(f"rows of {node['name']}"):
        _, answer = adapter.execute(
            f"select count(*) from {node['schema']}.{node['alias']}", fetch=True
        )
    return {"dagster/row_count": dg.MetadataValue.int(int(answer[0][0]))}


def _column_lineage(invocation: DbtCliInvocation, node: Mapping[str, Any]) -> dict[str, Any]:
    """Of a model, from the SQL that dbt ran and from the columns that its parents document."""
    if node["resource_type"] != "model":
        return {}
    folder = Path(invocation.target_path) / "compiled" / node["package_name"]
    parents = [_parent(invocation.manifest, key) for key in node["depends_on"]["nodes"]]
    columns = trace(
        (folder / node["original_file_path"]).read_text(),
        {_place(parent): list(parent["columns"]) for parent in parents},
    )
    translator: DagsterDbtTranslator = invocation.dagster_dbt_translator
    keys = {_place(parent): translator.get_asset_key(parent) for parent in parents}
    # several tables may be one asset, such as those that the findings fill
    origins = {
        name: sorted({(keys[place], column) for place, column in sources})
        for name, sources in columns.items()
    }
    deps = {
        name: [dg.TableColumnDep(*origin) for origin in found] for name, found in origins.items()
    }
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}


Place = tuple[str, str]
"""Schema and name of a table."""


def trace(sql: str, tables: Mapping[Place, list[str]]) -> dict[str, set[tuple[Place, str]]]:
    """For each column of a query, the columns of `tables` that it is made of.

    A table without columns is one whose columns are unknown. Raises SqlglotError on a query that
    cannot be read.
    """
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for (where, name), columns in tables.items():
        if columns:
            schema.setdefault(where, {})[name] = dict.fromkeys(columns, "unknown")
    nodes = lineage(None, sql, schema=schema, dialect=_DIALECT, trim_selects=False)
    return {name: set(_leaves(node, tables)) for name, node in nodes.items()}


def _leaves(node: Node, tables: Mapping[Place, list[str]]) -> Iterator[tuple[Place, str]]:
    for leaf in node.walk():
        table = leaf.expression
        if leaf.name == "*" or not isinstance(table, exp.Table):
            continue
        if (table.db, table.name) in tables:
            yield (table.db, table.name), exp.to_column(leaf.name).name


def _parent(manifest: Mapping[str, Any], unique_id: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
    return found


def _place(node: Mapping[str, Any]) -> Place:
    return node["schema"], node.get("identifier") or node["alias"]
