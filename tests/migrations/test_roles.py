"""Each role may do its own work and nothing else: every refusal is proved."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from orchestration.migrations import upgrade
from orchestration.settings import PostgresSettings
from tests.conftest import PASSWORD


@contextmanager
def connect_as(
    settings: PostgresSettings, role: str, password: str = PASSWORD
) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=role,
        password=password,
        autocommit=True,
    ) as connection:
        yield connection


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("pipeline", "delete from ingest.messages"),
        ("pipeline", "delete from ingest.documents"),
        ("pipeline", "update ingest.documents set body = ''"),
        ("pipeline", "update llm.responses set outcome = ''"),
        ("pipeline", "delete from llm.responses"),
        ("pipeline", "delete from llm.attempts"),
        ("pipeline", "update llm.requests set model = ''"),
        ("pipeline", "update risk.findings set level = 0"),
        ("pipeline", "delete from risk.findings"),
        ("pipeline", "delete from risk.assessments"),
        ("pipeline", "update risk.briefs set text = ''"),
        ("pipeline", "delete from ingest.feed_entries"),
        ("pipeline", "update risk.labels set verdict = 'agree'"),
        ("pipeline", "delete from risk.labels"),
        ("pipeline", "update risk.alerts set says = '{}'"),
        ("pipeline", "delete from risk.alerts"),
        ("pipeline", "update risk.notifications set alert_ids = '{}'"),
        ("pipeline", "delete from risk.notifications"),
        ("pipeline", "delete from risk.seen_bands"),
        ("pipeline", "update ingest.feed_entries set external_id = ''"),
        ("pipeline", "truncate risk.mentions"),
        ("pipeline", "create table risk.extra (id int)"),
        ("pipeline", "create table marts.extra (id int)"),
        ("transformer", "insert into ingest.documents default values"),
        ("transformer", "update ingest.feeds set url = ''"),
        ("transformer", "update risk.findings set level = 0"),
        ("transformer", "delete from llm.responses"),
        ("transformer", "create table risk.extra (id int)"),
        ("bi_reader", "select * from llm.responses"),
        ("bi_reader", "select * from risk.findings"),
        ("bi_reader", "select * from risk.alerts"),
        ("bi_reader", "select * from ingest.documents"),
        ("bi_reader", "select * from staging.stg_documents"),
        ("bi_reader", "create table marts.extra (id int)"),
        ("bi_reader", "create temporary table extra (id int)"),
        ("bi_reader", "create table public.extra (id int)"),
    ],
)
def test_a_role_is_refused_what_is_not_its_work(
    database: PostgresSettings, role: str, statement: str
) -> None:
    with connect_as(database, "transformer") as owner:
        owner.execute("create view staging.stg_documents as select 1 as one")
    with (
        connect_as(database, role) as connection,
        pytest.raises(
            (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
        ),
    ):
        connection.execute(statement)


def test_bi_reader_reads_the_marts_and_waits_no_longer_than_its_timeout(
    database: PostgresSettings,
) -> None:
    with connect_as(database, "transformer") as owner:
        owner.execute("create table marts.shown (id int)")
        owner.execute("grant select on marts.shown to bi_reader")
    with connect_as(database, "bi_reader") as connection:
        assert connection.execute("select count(*) from marts.shown").fetchone() == (0,)
        assert connection.execute("show statement_timeout").fetchone() == ("30s",)


@pytest.mark.parametrize("role", ["migrator", "pipeline", "transformer", "bi_reader"])
def test_a_wrong_or_empty_password_is_refused(database: PostgresSettings, role: str) -> None:
    for password in ("wrong", ""):
        with (
            pytest.raises(psycopg.OperationalError, match="password"),
            connect_as(database, role, password),
        ):
            pass


def test_upgrading_again_changes_nothing_and_sets_a_changed_password(
    database: PostgresSettings,
) -> None:
    upgrade(database)
    changed = database.model_copy(
        update={"bi_reader_password": type(database.bi_reader_password)("n")}
    )
    upgrade(changed)
    with connect_as(database, "bi_reader", "n"):
        pass
    upgrade(database)
    with connect_as(database, "bi_reader"):
        pass
