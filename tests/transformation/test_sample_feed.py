"""Real news, read by the offline analyst: however the marts came to be, they hold the same rows."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.ingestion.landing import land
from orchestration.ingestion.message import Document
from orchestration.ingestion.reading import read
from orchestration.ingestion.supplier_csv import read_csv
from orchestration.ingestion.suppliers import load
from orchestration.resources.postgres import Connection
from orchestration.settings import REPOSITORY
from tests.conftest import Analyst
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, message
from tests.scoring.scenario import run
from tests.transformation.building import build, differences, refresh, snapshot, today

NEWS = REPOSITORY / "data" / "sample" / "supplier_news_200.jsonl"


def recent_news() -> list[Document]:
    """The sample, as if it were of the last thirty days."""
    news = [record.content for record in read([NEWS]) if isinstance(record.content, Document)]
    now = datetime.now(UTC)
    return [
        document.model_copy(
            update={
                "published_at": now - timedelta(days=number % 30),
                "original_published_at": document.published_at,
            }
        )
        for number, document in enumerate(news)
    ]


def receive(connection: Connection, documents: list[Document], batch: str) -> None:
    messages = [message(document.to_json(), batch_id=batch) for document in documents]
    land(connection, SUBSCRIPTION, messages, LIMIT)


def take_back(connection: Connection, run_id: str) -> int:
    """A rollback of what a run concluded."""
    made = connection.execute(
        "insert into risk.retractions (filter, reason, made_by)"
        " values ('{}', 'a test', 'a test') returning retraction_id"
    ).fetchone()
    assert made is not None
    for column, table in (("assessment_id", "assessments"), ("brief_id", "briefs")):
        connection.execute(
            f"insert into risk.retracted (retraction_id, {column})"
            f" select %s, {column} from risk.{table} where run_id = %s",
            [made["retraction_id"], run_id],
        )
    return int(made["retraction_id"])


@pytest.mark.slow
def test_full_refreshed_and_rebuilt_after_a_rollback_are_the_same_row_for_row(
    connection: Connection, analyst: Analyst
) -> None:
    documents, day = recent_news(), f"{today()}"
    load(connection, read_csv(REPOSITORY / "data" / "suppliers.csv"))
    receive(connection, documents[:140], "monday")
    run(connection, analyst.settings, run_id="first")
    build(day)
    receive(connection, documents[140:], "tuesday")
    run(connection, analyst.settings, run_id="second")
    refresh(day)
    refreshed = snapshot(connection)
    for mart in ("supplier_risk_daily", "risk_changes", "supplier_briefs", "risk_evidence"):
        assert len(refreshed[mart]) > 20, mart
    build(day, "--full-refresh")
    assert differences(refreshed, snapshot(connection)) == {}

    retraction = take_back(connection, "second")
    refresh(day)
    rolled_back = snapshot(connection)
    assert len(rolled_back["risk_evidence"]) < len(refreshed["risk_evidence"])
    build(day, "--full-refresh")
    assert differences(rolled_back, snapshot(connection)) == {}

    connection.execute(
        "update risk.retractions set undone_by = 'a test', undone_at = now()"
        " where retraction_id = %s",
        [retraction],
    )
    refresh(day)
    assert differences(refreshed, snapshot(connection)) == {}
