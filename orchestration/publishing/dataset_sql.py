"""What the SQL of a dataset reads and returns, and which columns an expression names. No database.

Raises SqlglotError for SQL that cannot be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from orchestration.publishing.bundle import Dataset

_DIALECT = "postgres"
_SCHEMA = "marts"

# Functions of the schema marts; the name of a supplier is the supplier master's.
_ESCAPE_STRANGERS = {"as_html", "as_link"}
_ESCAPE = _ESCAPE_STRANGERS | {"as_supplier_link"}

_STATEMENTS = (exp.Block, exp.DDL, exp.DML, exp.Command)

Contract = Mapping[str, str]
"""The type of each column, as dbt has it, such as numeric(4,1)."""


@dataclass(frozen=True)
class Named:
    """The columns that an expression names, and whether it has a query of its own within."""

    columns: frozenset[str]
    has_subquery: bool


def tables_read(dataset: Dataset) -> frozenset[str]:
    """The marts, by name; a table of another schema with it, such as policy.countries."""
    if dataset.sql is None:
        return frozenset({_shown(dataset.schema or "", dataset.table_name)})
    query = _query(dataset.sql)
    made_here = {cte.alias for cte in query.find_all(exp.CTE)}
    return frozenset(
        _shown(table.db, table.name)
        for table in query.find_all(exp.Table)
        if table.db or table.name not in made_here
    )


def columns_returned(dataset: Dataset, marts: Mapping[str, Contract]) -> dict[str, str | None]:
    """The type of each column that a query over the marts returns, in their order.

    None where only PostgreSQL knows it: of an expression other than a column or a cast.
    """
    if dataset.sql is None:
        return dict(marts[dataset.table_name])
    schema: dict[str, object] = {_SCHEMA: {name: dict(columns) for name, columns in marts.items()}}
    query = qualify(
        _query(dataset.sql), schema=schema, dialect=_DIALECT, validate_qualify_columns=True
    )
    scope = build_scope(query)
    return {
        select.alias_or_name: _type(scope, select, marts) if scope else None
        for select in query.selects
    }


def named_by(expression: str) -> Named:
    """What a metric, a calculated column or a condition of a filter names.

    A column with a table before it is one by that whole name: Superset's tables have other names.
    """
    tree = sqlglot.parse_one(expression, dialect=_DIALECT)
    if isinstance(tree, _STATEMENTS):
        raise ParseError("it is a statement, or more than one expression")
    columns = frozenset(
        column.sql(_DIALECT) if column.table else _folded(column)
        for column in tree.find_all(exp.Column)
    )
    return Named(columns, has_subquery=tree.find(exp.Query) is not None)


def escaped(dataset: Dataset) -> frozenset[str]:
    """The columns that it gives to marts.as_html or marts.as_link: text of strangers."""
    trees = [*_outputs(dataset).values(), *_calculated(dataset).values()]
    calls = [call for tree in trees for call in tree.find_all(exp.Anonymous)]
    return frozenset(
        _folded(column)
        for call in calls
        if call.name in _ESCAPE_STRANGERS
        for column in call.find_all(exp.Column)
    )


def bare(dataset: Dataset) -> dict[str, frozenset[str]]:
    """For each of its columns, the columns of marts that it is made of and does not escape."""
    outputs = {name: _bare(tree) for name, tree in _outputs(dataset).items()}
    calculated = {name: _bare(tree) for name, tree in _calculated(dataset).items()}
    return {
        column.name: frozenset(
            mart_column
            for name in calculated.get(column.name, {column.name})
            for mart_column in outputs.get(name, {name})
        )
        for column in dataset.columns
    }


def agree(one: str, other: str) -> bool:
    """Whether two names of types mean the same; without a precision or element, any agrees."""
    first = exp.DataType.build(one, dialect=_DIALECT)
    second = exp.DataType.build(other, dialect=_DIALECT)
    if first.this != second.this:
        return False
    return not (first.expressions and second.expressions) or first == second


def _query(sql: str) -> exp.Query:
    query = sqlglot.parse_one(sql, dialect=_DIALECT)
    if not isinstance(query, exp.Query):
        raise ParseError("it is no single query")
    return query


def _outputs(dataset: Dataset) -> dict[str, exp.Expr]:
    """What its query returns under a name of its own or as a column; not what a star stands for."""
    selects = _query(dataset.sql).selects if dataset.sql else []
    return {select.alias_or_name: select.unalias() for select in selects}


def _calculated(dataset: Dataset) -> dict[str, exp.Expr]:
    return {
        column.name: sqlglot.parse_one(column.expression, dialect=_DIALECT)
        for column in dataset.columns
        if column.expression
    }


def _bare(tree: exp.Expr) -> frozenset[str]:
    """The columns in it that stand in no call of a function that escapes."""
    nodes = tree.walk(prune=lambda node: isinstance(node, exp.Anonymous) and node.name in _ESCAPE)
    return frozenset(_folded(node) for node in nodes if isinstance(node, exp.Column))


def _type(scope: Scope, select: exp.Expr, marts: Mapping[str, Contract]) -> str | None:
    """Follows a column down to its mart, through the queries in between."""
    made_of = select.unalias()
    if isinstance(made_of, exp.Cast):
        return made_of.to.sql(_DIALECT)
    if not isinstance(made_of, exp.Column):
        return None
    source = scope.sources.get(made_of.table)
    if isinstance(source, exp.Table):
        return marts.get(source.name, {}).get(made_of.name)
    if isinstance(source, Scope) and isinstance(source.expression, exp.Select):
        inner = {column.alias_or_name: column for column in source.expression.selects}
        return _type(source, inner[made_of.name], marts) if made_of.name in inner else None
    return None


def _folded(column: exp.Column) -> str:
    """As PostgreSQL understands a name: in lower case, unless it is quoted."""
    identifier = column.this
    is_quoted = isinstance(identifier, exp.Identifier) and identifier.quoted
    return column.name if is_quoted else column.name.lower()


def _shown(schema: str, table: str) -> str:
    return table if schema == _SCHEMA else f"{schema or '(no schema)'}.{table}"
