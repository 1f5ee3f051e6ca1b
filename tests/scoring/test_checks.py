"""The invariants are no decoration: each one finds the damage that it is there for."""

import pytest

from orchestration.ingestion.landing import land
from orchestration.resources.postgres import Connection
from orchestration.scoring.checks import INVARIANTS, QUOTES, violations
from orchestration.settings import PostgresSettings
from tests.conftest import Analyst
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message
from tests.migrations.test_roles import connect_as
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_texts, run

DAMAGE = {
    "every message leads to a document or a rejection": """
        alter table ingest.rejections drop constraint rejections_subscription_message_id_fkey;
        delete from ingest.rejections
    """,
    "received messages = the sum of their states": """
        delete from risk.findings; delete from risk.assessments
    """,
    "of each text one current document is the original": """
        drop index ingest.documents_one_original;
        update ingest.documents set content_sha256 = '\\x00'
    """,
    "each current copy points to a current original": """
        update ingest.documents set duplicate_of = document_id
    """,
    "every original document is queued": """
        alter table llm.attempts drop constraint attempts_item_id_fkey;
        delete from risk.work_items where step = 'mentions'
    """,
    "every mention is queued, and every finished one has its assessment": """
        alter table llm.attempts drop constraint attempts_item_id_fkey;
        delete from risk.work_items where step = 'findings'
    """,
    "an irrelevant document was asked about, and has no mention": """
        update risk.work_items set outcome = 'irrelevant' where step = 'mentions'
    """,
    "every answer on a mention or a candidate is kept": """
        update llm.responses set outcome = 'refusal'
    """,
    "a claim ends with its lease": """
        update risk.work_items
        set state = 'claimed', lease_until = now(), available_at = now() + interval '1 day'
    """,
    "no attempt lacks an outcome long after its deadline": """
        update llm.attempts
        set finished_at = null, outcome = null, deadline = now() - interval '2 hours'
    """,
    "a day's budget holds what its attempts reserve and settled": """
        insert into llm.budget (scope, period, settled_usd)
        values ('day', to_char(now() at time zone 'UTC', 'YYYY-MM-DD'), 1)
    """,
    "every answer of an assessment is kept": """
        update llm.responses set outcome = 'refusal'
    """,
    "a verified quote lies within its document": """
        update risk.findings set quote_end = 10000
    """,
    QUOTES: """
        update risk.findings set quote_start = quote_start + 1
    """,
}
# The view itself makes a second current row impossible.
CANNOT_BE_BROKEN = {"at most one current assessment per mention"}


@pytest.fixture
def scored(connection: Connection, analyst: Analyst) -> Connection:
    land_texts(connection, RECALL, BANKRUPTCY, "Nobody.")
    land(connection, SUBSCRIPTION, [message(b"[]")], LIMIT)
    run(connection, analyst.settings)
    assert violations(connection) == {}
    return connection


def test_every_invariant_has_its_damage() -> None:
    assert set(DAMAGE) | CANNOT_BE_BROKEN == {*INVARIANTS, QUOTES}


@pytest.mark.parametrize("name", DAMAGE)
def test_an_invariant_finds_its_damage(
    scored: Connection, database: PostgresSettings, name: str
) -> None:
    with connect_as(database, "migrator") as owner:
        owner.execute(DAMAGE[name])
    found = violations(scored)
    assert found[name]
