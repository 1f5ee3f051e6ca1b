"""What a schema holds, as one short text for each table and view: equal rows, equal texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

_TABLES = """
    select table_name from information_schema.tables
    where table_schema = %s
    order by table_name
"""
# Sums, so that the order of rows does not count; two, as one of 64 bits might agree by chance.
_FINGERPRINT = """
    select
        count(*) || ' rows, '
        || coalesce(sum(hashtextextended(content, 0)::numeric), 0) || ', '
        || coalesce(sum(hashtextextended(content, 1)::numeric), 0)
    from (select (to_jsonb(whole) - %s::text[])::text as content from {} as whole) as contents
"""


def fingerprints(
    connection: psycopg.Connection[Any], schema: str, without: Sequence[str] = ()
) -> dict[str, str]:
    """By name of the table or view. Columns of the names `without` do not count."""
    found = {}
    for (table,) in connection.execute(_TABLES, [schema]).fetchall():
        query = sql.SQL(_FINGERPRINT).format(sql.Identifier(schema, table))
        row = connection.execute(query, [list(without)]).fetchone()
        found[table] = row[0] if row else ""
    return found


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names under which the two do not hold the same."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
