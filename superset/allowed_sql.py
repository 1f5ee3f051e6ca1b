"""The SQL that people without SQL Lab may have run: what our dashboards ask, and nothing else.

Superset takes SQL from whoever may look at a chart, and its rules of rows hold for what that SQL
says, not for SQL that a function such as ts_stat gets as a text. So all that is not listed here is
refused; tests/dashboards/test_allowed_sql.py says which word is missing for a new chart.
"""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

_DIALECT = "postgres"
_SCHEMA = "marts"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Classes of sqlglot, by name: Superset's version and ours do not know the same functions.
_GRAMMAR = _words(
    "Select From Where Group Having Order Ordered Limit Offset Distinct Join Lateral Values Tuple"
    " Alias TableAlias Column Identifier Star Literal Boolean Null Array Paren"
    " Cast DataTypeParam Case If Window Filter"
    " And Or Not Is In Between Like ILike Escape EQ NEQ GT GTE LT LTE Add Sub Mul Div Neg DPipe"
)
_FUNCTIONS = _words(
    "Abs ArrayPosition Avg Coalesce Count GroupConcat Initcap Left LogicalOr Max Min Nullif Rank"
    " Replace StrToDate StrToTime Substring Sum TimestampTrunc"
)
_FUNCTIONS_BY_NAME = _words("array_position")
_OUR_FUNCTIONS = _words("as_html as_link as_supplier_link")
_TYPES = _words("BIGINT BOOLEAN DATE DECIMAL DOUBLE INT TEXT TIMESTAMP VARCHAR")


class NotAllowed(ValueError):
    """SQL that somebody without SQL Lab may not have run; says which part of it."""


def only_allowed(sql: str) -> str:
    """The same query, written anew from what was understood of it: no text that PostgreSQL could
    read in another way is left. Raises NotAllowed."""
    try:
        statements = sqlglot.parse(sql, dialect=_DIALECT)
    except SqlglotError as error:
        raise NotAllowed(f"it cannot be read: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise NotAllowed("it is not one SELECT")
    for node in statements[0].walk():
        if not _is_allowed(node):
            raise NotAllowed(f"{type(node).__name__} in {node.sql(_DIALECT)[:100]}")
    understood = normalize_identifiers(statements[0], dialect=_DIALECT)
    return understood.sql(_DIALECT, identify=True, comments=False)


def _is_allowed(node: exp.Expression) -> bool:
    name = type(node).__name__
    if isinstance(node, exp.Anonymous):
        is_ours = isinstance(node.parent, exp.Dot) and node.name.lower() in _OUR_FUNCTIONS
        return is_ours or node.name.lower() in _FUNCTIONS_BY_NAME
    if isinstance(node, exp.Dot):  # (x).f calls f, as f(x) does
        of_schema = isinstance(node.this, exp.Identifier) and node.this.name == _SCHEMA
        return of_schema and isinstance(node.expression, exp.Anonymous)
    if isinstance(node, exp.Table):
        return isinstance(node.this, exp.Identifier) and (node.catalog, node.db) == ("", _SCHEMA)
    if isinstance(node, exp.Select):
        return node.parent is None or isinstance(node.parent, exp.Subquery)
    if isinstance(node, exp.Subquery):
        return isinstance(node.parent, exp.From | exp.Join | exp.Lateral)
    if isinstance(node, exp.DataType):
        return isinstance(node.this, exp.DataType.Type) and node.this.name in _TYPES
    if isinstance(node, exp.Var):
        return re.fullmatch("[A-Za-z]+", node.name) is not None
    return name in _GRAMMAR or name in _FUNCTIONS
