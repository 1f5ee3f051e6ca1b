"""The synthetic world of the marts: as large as asked, consistent, and always the same."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest

from benchmarks.marts import generator
from benchmarks.marts.fingerprints import differing, fingerprints
from orchestration.local.postgres import Cluster
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.checks import violations
from orchestration.settings import PostgresSettings

AS_OF = date(2026, 6, 30)
FINDINGS = 2_000


@pytest.fixture
def superuser(cluster: Cluster, database: PostgresSettings) -> Iterator[psycopg.Connection[Any]]:
    with cluster.connect(database.database) as superuser:
        yield superuser


def content(superuser: psycopg.Connection[Any]) -> dict[str, str]:
    """All that is drawn; which transaction wrote a row is not."""
    return {
        f"{schema}.{table}": rows
        for schema in ("ingest", "llm", "risk")
        for table, rows in fingerprints(superuser, schema, ["changed_in"]).items()
    }


def sizes(connection: Connection) -> dict[str, Any]:
    return one(
        connection,
        """
        select
            (select count(*) from risk.findings) as findings,
            (select count(*) from risk.pairs) as pairs,
            (select count(*) from risk.briefs) as briefs,
            (select count(*) from ingest.documents where superseded_by is not null) as superseded,
            (select count(*) from risk.retracted) > 0 as has_retracted,
            (
                select count(*) from risk.assessments inner join risk.mentions using (mention_id)
                where assessments.created_at > mentions.created_at + interval '1 day'
            ) as second_readings
        """,
    )


def test_a_world_is_consistent_and_as_large_as_asked(
    superuser: psycopg.Connection[Any], connection: Connection
) -> None:
    generator.fill(superuser, FINDINGS, AS_OF)
    assert violations(connection) == {}
    assert sizes(connection) == {
        "findings": FINDINGS,
        "pairs": 20,
        "briefs": 20,
        "superseded": 1,
        "has_retracted": True,
        "second_readings": 30,
    }


def test_news_are_added_to_a_world_on_its_last_day(
    superuser: psycopg.Connection[Any], connection: Connection
) -> None:
    generator.fill(superuser, FINDINGS, AS_OF)
    for _ in range(2):
        generator.add_findings(connection, 1_000, AS_OF)
    assert violations(connection) == {}
    assert sizes(connection)["findings"] == FINDINGS + 2_000
    newest = one(connection, "select max(created_at)::date as day, count(*) from risk.briefs")
    assert newest == {"day": AS_OF, "count": 60}


def test_the_same_seed_gives_the_same_rows_and_another_one_others(
    superuser: psycopg.Connection[Any],
) -> None:
    def filled(seed: int) -> dict[str, str]:
        tables = superuser.execute(
            "select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables"
            " where schemaname in ('ingest', 'llm', 'risk')"
        ).fetchone()
        assert tables
        superuser.execute(f"truncate {tables[0]} restart identity".encode())
        generator.fill(superuser, FINDINGS, AS_OF, seed)
        return content(superuser)

    first = filled(seed=1)
    assert differing(first, filled(seed=1)) == []
    assert "risk.findings" in differing(first, filled(seed=2))


def test_too_few_findings_make_no_world(superuser: psycopg.Connection[Any]) -> None:
    with pytest.raises(ValueError, match="1,000 findings or more"):
        generator.fill(superuser, 999, AS_OF)
