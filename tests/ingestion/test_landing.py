"""Landing on a real PostgreSQL, from Google's emulator: commit, then ack; nothing lost or twice."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.ingestion.landing import (
    MAX_BATCH_BYTES,
    MAX_PULL_MESSAGES,
    at_risk_apart,
    land,
    land_from,
    next_size,
)
from orchestration.ingestion.message import Document
from orchestration.resources.broker import Message
from orchestration.resources.postgres import Connection, connect, one
from orchestration.resources.pubsub import GooglePubsub
from orchestration.scoring.checks import violations
from orchestration.settings import PostgresSettings
from tests.conftest import next_message_id

SUBSCRIPTION = "projects/p/subscriptions/s"
LIMIT = 1_000_000


def message(data: bytes, message_id: str = "", **attributes: str) -> Message:
    return Message(
        message_id or next_message_id(), data, attributes, "", datetime.now(UTC), "receipt"
    )


def document(text: str, external_id: str = "a", version: int = 1) -> bytes:
    return Document(text=text, external_id=external_id, source="s", version=version).to_json()


def count(connection: Connection, table: str) -> int:
    return int(one(connection, f"select count(*) as n from {table}")["n"])


def states(connection: Connection) -> dict[str, str]:
    rows = connection.execute("select message_id, state from risk.message_states")
    return {row["message_id"]: row["state"] for row in rows}


def test_each_kind_of_message_lands_in_its_state_with_its_bytes_kept(
    connection: Connection,
) -> None:
    batch = [
        message(document("fire", "a"), "1", batch_id="b1"),
        message(document("fire", "a"), "2", batch_id="b1"),
        message(document("FIRE", "b"), "3"),
        message(b"\xff\x00", "4", batch_id="b\x001"),
        message(document("flood", "a", version=2), "5"),
        message(document("storm", "c"), "5"),
    ]
    result = land(connection, SUBSCRIPTION, batch, LIMIT)
    assert result.counts() == {"document": 3, "duplicate": 1, "rejection": 1, "conflict": 1}
    assert states(connection) == {
        "1": "superseded",
        "2": "duplicate",
        "3": "pending",
        "4": "rejected",
        "5": "pending",
    }
    kept = connection.execute(
        "select reason, data from ingest.rejections inner join ingest.payloads using (data_sha256)"
        " order by 1"
    )
    assert [(row["reason"], row["data"]) for row in kept] == [
        ("invalid_attribute", b"\xff\x00"),
        ("message_id_conflict", document("storm", "c")),
    ]
    assert violations(connection) == {}


def test_when_an_original_is_corrected_its_oldest_copy_is_scored_and_the_others_follow_it(
    connection: Connection,
) -> None:
    for name in "abcd":
        land(connection, SUBSCRIPTION, [message(document("fire", name), name)], LIMIT)
    assert states(connection) == {"a": "pending", **dict.fromkeys("bcd", "duplicate")}
    corrected = message(document("no fire", "a", version=2), "a2")
    land(connection, SUBSCRIPTION, [corrected], LIMIT)
    assert states(connection) == {
        "a": "superseded",
        "a2": "pending",
        "b": "pending",
        **dict.fromkeys("cd", "duplicate"),
    }
    originals = connection.execute(
        "select copies.external_id as copy, originals.external_id as original"
        " from ingest.documents as copies inner join ingest.documents as originals"
        " on copies.duplicate_of = originals.document_id order by 1"
    )
    assert [(row["copy"], row["original"]) for row in originals] == [("c", "b"), ("d", "b")]
    assert violations(connection) == {}


def test_of_copies_that_came_in_one_batch_the_first_takes_the_place_of_the_original(
    connection: Connection,
) -> None:
    copies = [message(document("fire", name), name) for name in "abcdefgh"]
    land(connection, SUBSCRIPTION, copies, LIMIT)
    land(connection, SUBSCRIPTION, [message(document("ice", "a", version=2), "a2")], LIMIT)
    expected = {"a": "superseded", "a2": "pending", "b": "pending"}
    assert states(connection) == {**expected, **dict.fromkeys("cdefgh", "duplicate")}


def test_landing_the_same_batch_again_adds_only_to_the_delivery_counts(
    connection: Connection,
) -> None:
    batch = [message(document("fire")), message(b"[]"), message(document("flood", "b"))]
    land(connection, SUBSCRIPTION, batch, LIMIT)
    again = land(connection, SUBSCRIPTION, batch, LIMIT)
    assert again.counts() == {"redelivered": 3}
    assert (count(connection, "ingest.messages"), count(connection, "ingest.documents")) == (3, 2)
    row = one(connection, "select min(delivery_count) as low from ingest.messages")
    assert row["low"] == 2


def test_the_same_id_on_another_subscription_is_another_message(connection: Connection) -> None:
    land(connection, SUBSCRIPTION, [message(document("fire"), "1")], LIMIT)
    result = land(connection, "projects/q/subscriptions/s", [message(document("ice"), "1")], LIMIT)
    assert result.counts() == {"rejection": 1}
    assert count(connection, "ingest.messages") == 2


def test_messages_are_numbered_in_the_order_of_their_arrival(connection: Connection) -> None:
    batch = [message(document(f"news {n}", str(n)), f"m{n}") for n in range(20)]
    land(connection, SUBSCRIPTION, batch[:10], LIMIT)
    land(connection, SUBSCRIPTION, batch[10:], LIMIT)
    rows = connection.execute("select message_id from ingest.messages order by sequence")
    assert [row["message_id"] for row in rows] == [f"m{n}" for n in range(20)]


def test_two_landers_at_once_write_each_document_and_message_once(
    database: PostgresSettings, connection: Connection
) -> None:
    batch = [
        message(document(f"news {n % 40}", f"id {n % 40}", version=1 + n % 3), f"m{n}")
        for n in range(120)
    ]
    failures: list[BaseException] = []

    def work(messages: list[Message]) -> None:
        try:
            with connect(database, "lander") as own:
                for start in range(0, len(messages), 15):
                    land(own, SUBSCRIPTION, messages[start : start + 15], LIMIT)
        except BaseException as error:
            failures.append(error)

    landers = [
        threading.Thread(target=work, args=(part,))
        for part in (batch, batch[::-1], batch[60:] + batch[:60])
    ]
    for lander in landers:
        lander.start()
    for lander in landers:
        lander.join()
    assert failures == []
    assert count(connection, "ingest.messages") == 120
    current = one(
        connection, "select count(*) as n from ingest.documents where superseded_by is null"
    )
    assert current["n"] == 40
    assert violations(connection) == {}


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_text_keeps_one_original_when_two_landers_supersede_it_and_its_heir_at_once(
    database: PostgresSettings, connection: Connection, order: str
) -> None:
    for name in "abcd":
        land(connection, SUBSCRIPTION, [message(document("fire", name), name)], LIMIT)
    first, second = (message(document(f"no fire in {n}", n, version=2), f"{n}2") for n in order)

    def land_second() -> None:
        with connect(database, "second lander") as own:
            land(own, SUBSCRIPTION, [second], LIMIT)

    lander = threading.Thread(target=land_second)
    with connection.transaction():
        land(connection, SUBSCRIPTION, [first], LIMIT)
        lander.start()
        lander.join(1)
    lander.join()
    found = states(connection)
    assert {name: found[name] for name in ("c", "d", "a2", "b2")} == {
        "c": "pending",
        "d": "duplicate",
        "a2": "pending",
        "b2": "pending",
    }
    assert violations(connection) == {}


def test_what_is_pulled_is_acknowledged_only_after_it_is_landed(
    broker: GooglePubsub, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.publish(document("fire"), {"batch_id": "b"}).result(10)
    acknowledged: list[int] = []
    real = broker.acknowledge

    def acknowledge(receipts: list[str]) -> None:
        acknowledged.append(count(connection, "ingest.messages"))
        real(receipts)

    monkeypatch.setattr(broker, "acknowledge", acknowledge)
    assert land_from(broker, connection, 10, LIMIT) == {"document": 1}
    assert acknowledged == [1]
    assert broker.pull(10, timeout=0.5) == []


def test_a_batch_that_cannot_be_written_comes_again_and_is_lost_nowhere(
    broker: GooglePubsub,
    database: PostgresSettings,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL goes away between the pull and the commit: nothing is acknowledged."""
    broker.publish(document("fire"), {}).result(10)
    pulled: list[Message] = []
    real = broker.pull

    def pull_and_lose_the_connection(max_messages: int, timeout: float) -> list[Message]:
        batch = real(max_messages, timeout)
        pulled.extend(batch)
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'doomed' and datname = current_database()"
        )
        return batch

    def land_on_a_doomed_connection() -> None:
        with monkeypatch.context() as patch, connect(database, "doomed") as doomed:
            patch.setattr(broker, "pull", pull_and_lose_the_connection)
            land_from(broker, doomed, 10, LIMIT)

    with pytest.raises(psycopg.OperationalError):
        land_on_a_doomed_connection()
    assert count(connection, "ingest.messages") == 0
    broker.reject([message.receipt for message in pulled])
    assert land_from(broker, connection, 10, LIMIT) == {"document": 1}
    assert states(connection) == {pulled[0].message_id: "pending"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not json", "not_json"),
        (b'["a list"]', "not_an_object"),
        (b"{}", "invalid_field"),
        (b'{"text": ""}', "invalid_field"),
        (b'{"text": 5}', "invalid_field"),
        (b'{"text": "x", "published_at": 5}', "invalid_field"),
        (b'{"text": "a\\u0000b"}', "invalid_text"),
        (b'{"text": "a\\ud800b"}', "invalid_text"),
        (b'{"text": "x", "supplier_hints": [{"supplier": "a", "country": "XX"}]}', "invalid_field"),
        (b'{"text": "' + b"x" * 2_000 + b'"}', "too_large"),
        (b"\xff\xfe", "not_utf8"),
    ],
)
def test_bad_input_is_kept_with_its_bytes_and_blocks_nothing(
    connection: Connection, data: bytes, reason: str
) -> None:
    land(connection, SUBSCRIPTION, [message(data, "bad"), message(document("fire"), "good")], 2_000)
    assert states(connection) == {"bad": "rejected", "good": "pending"}
    kept = one(
        connection,
        "select reason, data, detail from ingest.rejections"
        " inner join ingest.payloads using (data_sha256)",
    )
    assert (kept["reason"], kept["data"]) == (reason, data)
    assert kept["detail"]
    assert violations(connection) == {}


def test_a_flood_of_one_poison_message_is_kept_once_and_told_each_time(
    connection: Connection,
) -> None:
    flood = [message(b"\xff" * 100_000) for _ in range(300)]
    land(connection, SUBSCRIPTION, [*flood, message(document("fire"), "good")], LIMIT)
    assert count(connection, "ingest.rejections") == 300
    assert count(connection, "ingest.payloads") == 1
    assert states(connection)["good"] == "pending"
    assert violations(connection) == {}


def test_who_was_delivered_too_often_is_landed_alone_and_keeps_its_place_in_its_key() -> None:
    def tried(message_id: str, deliveries: int, ordering_key: str = "") -> Message:
        return replace(message(b"", message_id), deliveries=deliveries, ordering_key=ordering_key)

    batch = [tried("a", 1), tried("k1", 1, "k"), tried("b", 3), tried("k2", 4, "k"), tried("c", 0)]
    parts = [[m.message_id for m in part] for part in at_risk_apart(batch)]
    assert parts == [["a", "c"], ["k1"], ["b"], ["k2"]]
    assert [len(part) for part in at_risk_apart(batch[:1])] == [1]
    assert at_risk_apart([]) == []


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=50), st.integers(1, 1_000))
def test_a_pull_asks_for_no_more_than_fits_in_memory_and_grows_by_no_more_than_twice(
    sizes: list[int], asked: int
) -> None:
    mean = sum(sizes) // len(sizes)
    size = next_size(asked, [message(bytes(mean), "x")])
    assert 1 <= size <= min(2 * asked, MAX_PULL_MESSAGES)
    assert size == 1 or size * mean <= MAX_BATCH_BYTES


def test_one_empty_pull_does_not_end_a_tick_and_two_in_a_row_do(
    broker: GooglePubsub, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire, ice = message(document("fire", "a")), message(document("ice", "b"))
    pulls: list[list[Message]] = [[], [fire], [], [ice], [], [], [message(b"never asked for")]]
    monkeypatch.setattr(broker, "pull", lambda _max_messages, timeout: pulls.pop(0))
    monkeypatch.setattr(broker, "acknowledge", lambda receipts: None)
    assert land_from(broker, connection, 10, LIMIT) == {"document": 2}
    assert len(pulls) == 1


def test_a_hint_in_lower_case_lands_as_a_country_in_capitals(connection: Connection) -> None:
    data = b'{"text": "x", "supplier_hints": [{"supplier": "acme", "country": " de"}]}'
    land(connection, SUBSCRIPTION, [message(data)], LIMIT)
    row = one(connection, "select supplier_hints -> 0 ->> 'country' as c from ingest.documents")
    assert row["c"] == "DE"


def test_a_thousand_messages_land_in_one_tick(broker: GooglePubsub, connection: Connection) -> None:
    futures = [broker.publish(document(f"news {n}", str(n)), {}) for n in range(1000)]
    for future in futures:
        future.result(30)
    assert land_from(broker, connection, 20, LIMIT) == {"document": 1000}
    assert violations(connection) == {}
