"""Revision 0002 on a database that was filled before it."""

import uuid
from collections.abc import Iterator

import pytest

from orchestration.ingestion.landing import land
from orchestration.local import postgres
from orchestration.migrations import upgrade
from orchestration.resources.postgres import connect
from orchestration.scoring.checks import violations
from orchestration.settings import PostgresSettings
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, document, message, states
from tests.migrations.test_roles import connect_as


@pytest.fixture
def old_database(
    cluster: postgres.Cluster, database: PostgresSettings
) -> Iterator[PostgresSettings]:
    name = f"old_{uuid.uuid4().hex}"
    with cluster.connect("postgres") as connection:
        postgres.create_database(connection, name, owner="migrator")
    settings = database.model_copy(update={"database": name})
    upgrade(settings, "0001")
    with connect_as(settings, "migrator") as owner:  # landing of today needs it
        owner.execute("grant update (duplicate_of) on ingest.documents to pipeline")
    yield settings
    with cluster.connect("postgres") as connection:
        connection.execute(f"drop database {name} with (force)")


def test_texts_that_lost_their_original_before_the_upgrade_get_one(
    old_database: PostgresSettings,
) -> None:
    with connect(old_database, "test") as connection:
        for name in "abc":
            land(connection, SUBSCRIPTION, [message(document("fire", name), name)], LIMIT)
        land(connection, SUBSCRIPTION, [message(document("ice", "d"), "d")], LIMIT)
        with connect_as(old_database, "migrator") as owner:
            owner.execute(
                "update ingest.documents set superseded_by = ("
                " select document_id from ingest.documents where external_id = 'd'"
                ") where external_id = 'a'"
            )
        upgrade(old_database)
        expected = {"a": "superseded", "b": "pending", "c": "duplicate", "d": "pending"}
        assert states(connection) == expected
        again = connection.execute(
            "select copies.external_id as copy, originals.external_id as original"
            " from ingest.documents as copies inner join ingest.documents as originals"
            " on copies.duplicate_of = originals.document_id"
        )
        assert [(row["copy"], row["original"]) for row in again] == [("c", "b")]
        assert violations(connection) == {}
