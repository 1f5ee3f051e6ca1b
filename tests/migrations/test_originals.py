"""Revision 0002 on a database that was filled before it."""

from orchestration.ingestion.landing import land
from orchestration.migrations import upgrade
from orchestration.resources.postgres import Connection
from orchestration.scoring.checks import violations
from orchestration.settings import PostgresSettings
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, document, message, states
from tests.migrations.test_roles import connect_as


def test_texts_that_lost_their_original_before_the_upgrade_get_one(
    database: PostgresSettings, connection: Connection
) -> None:
    for name in "abc":
        land(connection, SUBSCRIPTION, [message(document("fire", name), name)], LIMIT)
    land(connection, SUBSCRIPTION, [message(document("ice", "d"), "d")], LIMIT)
    with connect_as(database, "migrator") as owner:
        owner.execute(
            "update ingest.documents set superseded_by = ("
            " select document_id from ingest.documents where external_id = 'd'"
            ") where external_id = 'a'"
        )
        owner.execute("drop table ingest.feed_entries, ingest.feeds")
        owner.execute("drop index ingest.documents_by_original")
        owner.execute("revoke update (duplicate_of) on ingest.documents from pipeline")
        owner.execute("update alembic_version set version_num = '0001'")
    upgrade(database)
    expected = {"a": "superseded", "b": "pending", "c": "duplicate", "d": "pending"}
    assert states(connection) == expected
    again = connection.execute(
        "select copies.external_id as copy, originals.external_id as original"
        " from ingest.documents as copies inner join ingest.documents as originals"
        " on copies.duplicate_of = originals.document_id"
    )
    assert [(row["copy"], row["original"]) for row in again] == [("c", "b")]
    assert violations(connection) == {}
