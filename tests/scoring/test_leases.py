"""Two runs at the same work: a lease lasts as long as its work, and nobody fails for another."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestration.ingestion import work_items
from orchestration.ingestion.work_items import Done
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring.generations import open_stream
from orchestration.settings import PostgresSettings
from tests.conftest import Analyst
from tests.local.stack import eventually
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_hinted, land_texts, resolve, run
from tests.scoring.test_run import totals

CLAIMED = "select 1 from risk.work_items where step = 'findings' and state = 'claimed'"


@contextmanager
def later(
    seconds: float, database: PostgresSettings, items: list[work_items.Item]
) -> Iterator[None]:
    """Another run that gives its items back after some time."""

    def give_back() -> None:
        time.sleep(seconds)
        with connect(database, "another run") as other:
            work_items.release(other, items)

    thread = threading.Thread(target=give_back)
    thread.start()
    yield
    thread.join()


def test_a_call_that_outlasts_the_lease_keeps_its_work(
    connection: Connection,
    analyst: Analyst,
    database: PostgresSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work_items, "LEASE_SECONDS", 3)
    land_hinted(connection, RECALL)
    analyst.fail_with({"kind": "latency", "seconds": 8, "times": 1})
    settings = analyst.settings.model_copy(update={"timeout_seconds": 30})
    thread = threading.Thread(target=run, args=(connection, settings))
    thread.start()
    stolen = []
    with connect(database, "thief") as other:
        eventually("the work claimed", lambda: other.execute(CLAIMED).fetchone())
        while thread.is_alive():
            stolen += work_items.claim(other, "findings", 9, 9)
            time.sleep(0.2)
        assert stolen == []
        row = one(other, "select attempts from risk.work_items where step = 'findings'")
        assert (row["attempts"], totals(other)) == (1, {"scored": 1})


def test_a_targeted_run_waits_for_what_another_run_holds_and_takes_what_comes_free(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    land_texts(connection, RECALL, BANKRUPTCY)
    generation = open_stream(connection, analyst.settings.model)
    resolve(connection, analyst.settings)
    work_items.enqueue(
        connection,
        "pair",
        [row["pair_id"] for row in connection.execute("select pair_id from risk.pairs")],
        "briefs",
        generation,
    )
    with connect(database, "another run") as other:
        held = work_items.claim(other, "findings", 1, 3, generation_id=generation)
        held += work_items.claim(other, "briefs", 1, 3, generation_id=generation)
    with later(2.5, database, held):
        result = run(connection, analyst.settings, targets=["acme@MX", "beta@DE"])
    assert result.failures == {}
    assert list(result.pairs) == ["acme@MX", "beta@DE"]
    assert all(pair.brief for pair in result.pairs.values())


def test_a_targeted_run_waits_no_longer_than_a_lease(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "orchestration.scoring.run._BEYOND_LEASE_SECONDS", 1 - work_items.LEASE_SECONDS
    )
    land_texts(connection, RECALL)
    generation = open_stream(connection, analyst.settings.model)
    resolve(connection, analyst.settings)
    (held,) = work_items.claim(connection, "findings", 1, 3, generation_id=generation)
    result = run(connection, analyst.settings, targets=["acme@MX"])
    assert "claimed" in result.failures["acme@MX"]
    with connection.transaction():
        assert work_items.hold(connection, [held]) == {held.item_id}
        work_items.finish(connection, [Done(held, "no_risk")])
