"""The door to PostgreSQL: one connection of one role. SQL belongs to the rooms that use it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from orchestration.settings import PostgresSettings

Connection: TypeAlias = psycopg.Connection[DictRow]


@contextmanager
def connect(settings: PostgresSettings, application: str) -> Iterator[Connection]:
    """An autocommit connection as `pipeline` with rows as dicts; group with `.transaction()`.

    `application` shows in pg_stat_activity. Raises psycopg.OperationalError when PostgreSQL
    cannot be reached or refuses the password.
    """
    with _open(settings, application) as connection:
        yield connection


def _open(settings: PostgresSettings, application: str) -> Connection:
    try:
        return psycopg.connect(
            host=settings.host,
            port=settings.port,
            dbname=settings.database,
            user="pipeline",
            password=settings.pipeline_password.get_secret_value(),
            application_name=application,
            connect_timeout=10,
            autocommit=True,
            row_factory=dict_row,
        )
    except psycopg.OperationalError as error:
        raise psycopg.OperationalError(
            f"PostgreSQL cannot be reached: {str(error).strip()}\nWhat to do: is it up "
            "(`supplier-risk local status`), and are POSTGRES_HOST, POSTGRES_PORT, "
            "POSTGRES_DATABASE and POSTGRES_PIPELINE_PASSWORD right?"
        ) from error


def one(
    connection: Connection,
    query: LiteralString,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> DictRow:
    """The row of a query that has exactly one by its nature, such as a count."""
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError(f"no row where one must be: {query[:80]}")
    return row


def set_password(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """Give a role its password. Only the SCRAM verifier is sent: no log can hold the password."""
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("alter role {} password {}").format(
            sql.Identifier(role), sql.Literal(verifier.decode())
        )
    )
