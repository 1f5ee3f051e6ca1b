"""Bad input and bad weather, for the sensor and the worker: a sentence, and nothing is lost."""

import gzip
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import dagster as dg
import grpc
import psycopg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from orchestration.errors import BrokerAwayError, BrokerError
from orchestration.ingestion import worker as worker_module
from orchestration.ingestion.dead_letter_jobs import dead_letter_sensor
from orchestration.ingestion.dead_letters import Filter, find, payload, redrive
from orchestration.ingestion.landing import land_from
from orchestration.ingestion.worker import Worker
from orchestration.resources import pubsub as pubsub_module
from orchestration.resources import pubsub_publish
from orchestration.resources.broker import confirmed
from orchestration.resources.dagster import Postgres, Pubsub
from orchestration.resources.postgres import Connection, one
from orchestration.resources.pubsub import MAX_MESSAGE_BYTES, GooglePubsub
from orchestration.scoring.checks import violations
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings
from tests.conftest import Analyst
from tests.ingestion.test_assets import tick
from tests.ingestion.test_landing import LIMIT, count, document, states
from tests.ingestion.test_worker import waits, working
from tests.local.stack import eventually
from tests.pubsub_proxy import Proxy

_SECONDS = 30
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
ODD = "\x00\t\n\x1b[31m\u202e\U0001f600 ' \" \\ {} %s $1"


@pytest.fixture
def proxied(proxy: Proxy) -> Iterator[GooglePubsub]:
    with GooglePubsub(PubsubSettings.load()) as broker:
        yield broker


def publish(broker: GooglePubsub, *bodies: bytes, **attributes: str) -> None:
    for sent in [broker.publish(body, attributes) for body in bodies]:
        confirmed(sent, _SECONDS)


def large(number: int) -> bytes:
    """As large as Pub/Sub takes a message, but for its attributes."""
    return f"{number:>20}".encode() + b"x" * (MAX_MESSAGE_BYTES - 120)


@pytest.mark.parametrize(
    "attributes",
    [
        {f"name {n}": "v" for n in range(100)},
        {"long": "ü" * 512},
        {"odd": ODD, ODD: "odd"},
        {"topic": "t", "data": "d", "retry": "r", "timeout": "1", "self": "s", "ordering_key": "k"},
    ],
)
def test_any_attributes_land_are_kept_with_what_is_refused_and_go_out_again(
    broker: GooglePubsub, connection: Connection, attributes: dict[str, str]
) -> None:
    publish(broker, document("fire"), b"no json", **{"batch_id": "b", **attributes})
    assert land_from(broker, connection, 10, LIMIT) == {"document": 1, "rejection": 1}
    (refused,) = find(connection, Filter())
    assert payload(connection, refused["dead_letter_id"])[1] == {"batch_id": "b", **attributes}
    assert redrive(connection, broker, [refused["dead_letter_id"]]) == 1
    (again,) = broker.pull(10, 5)
    assert (again.data, again.attributes) == (b"no json", {"batch_id": "b", **attributes})
    assert violations(connection) == {}


def test_a_batch_id_that_is_too_long_refuses_its_message_alone(
    broker: GooglePubsub, connection: Connection, analyst: Analyst
) -> None:
    publish(broker, document("fire"), batch_id="x" * 1_024)
    publish(broker, document("ice", "b"), batch_id="x" * 200)
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(tick(instance).run_requests or []) == 1
    assert sorted(states(connection).values()) == ["pending", "rejected"]
    batches = {row["batch_id"] for row in connection.execute("select * from ingest.messages")}
    assert batches == {"x" * 200}


PAYLOADS = (gzip.compress(document("packed")), bytes(range(256)), b"\x00" * 50, b"")


def test_packed_and_binary_payloads_are_kept_as_they_came(
    broker: GooglePubsub, connection: Connection
) -> None:
    publish(broker, *PAYLOADS[:3], b"\xef\xbb\xbf{}", document("good"), origin="odd")
    publish(broker, PAYLOADS[3], why="without data an attribute must be there")
    assert land_from(broker, connection, 10, LIMIT) == {"document": 1, "rejection": 5}
    kept = {bytes(row["data"]) for row in connection.execute("select data from ingest.payloads")}
    assert kept == {*PAYLOADS, b"\xef\xbb\xbf{}"}
    assert violations(connection) == {}


def test_messages_of_ten_megabytes_land_from_pulls_and_from_the_stream(
    broker: GooglePubsub, connection: Connection, database: PostgresSettings
) -> None:
    publish(broker, large(1), large(2), document("good"))
    assert land_from(broker, connection, 20, LIMIT) == {"document": 1, "rejection": 2}
    publish(broker, large(3), large(4), document("also good", "b"))
    with working(broker, database, []) as finish:
        waits(connection, 6)
        assert finish() == {"document": 1, "rejection": 2}
    kept = one(connection, "select min(length(data)) as bytes from ingest.payloads")
    assert kept["bytes"] == len(large(1))
    assert violations(connection) == {}


def test_more_than_an_answer_may_hold_is_asked_for_in_parts_and_all_of_it_lands(
    broker: GooglePubsub, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a refused answer held comes again when its lease has run out."""
    limit = [("grpc.max_receive_message_length", 2_000_000)]
    monkeypatch.setattr(pubsub_module, "_GRPC_OPTIONS", limit)
    _, subscriber = broker.clients()
    wanted = broker.wanted.subscription
    wanted.ack_deadline_seconds = 10
    mask = FieldMask(paths=["ack_deadline_seconds"])
    subscriber.update_subscription(request={"subscription": wanted, "update_mask": mask})
    publish(broker, *[document("x" * 100_000 + str(n), str(n)) for n in range(40)])
    with GooglePubsub(PubsubSettings.load()) as bounded:
        assert bounded.pull(1_000, 1) == []

        def all_have_landed() -> bool:
            land_from(bounded, connection, 5, LIMIT)
            return len(states(connection)) == 40

        eventually("40 messages", all_have_landed)
    assert violations(connection) == {}


def test_a_message_that_no_answer_may_hold_is_said_and_not_asked_for_without_end(
    broker: GooglePubsub, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = [("grpc.max_receive_message_length", 1_000)]
    monkeypatch.setattr(pubsub_module, "_GRPC_OPTIONS", limit)
    publish(broker, document("x" * 10_000))
    with GooglePubsub(PubsubSettings.load()) as bounded, pytest.raises(BrokerError, match="larger"):
        bounded.pull(16, 5)


def test_a_message_that_is_too_large_to_publish_is_a_sentence(broker: GooglePubsub) -> None:
    sent = broker.publish(b"x" * (MAX_MESSAGE_BYTES + 1), {})
    with pytest.raises(BrokerError, match=r"publishing to .*supplier-news: .*10,?000,?000"):
        confirmed(sent, _SECONDS)


def test_a_flood_of_one_poison_message_holds_up_neither_the_sensor_nor_the_worker(
    broker: GooglePubsub,
    connection: Connection,
    database: PostgresSettings,
    analyst: Analyst,
) -> None:
    publish(broker, *[b"\xff poison"] * 500, document("good"))
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(tick(instance).run_requests or []) == 1
    publish(broker, *[b"\xff poison"] * 500, document("also good", "b"))
    with working(broker, database, []) as finish:
        waits(connection, 1_002)
        finish()
    assert Counter(states(connection).values()) == {"rejected": 1_000, "pending": 2}
    assert count(connection, "ingest.payloads") == 1
    assert violations(connection) == {}


REFUSALS = [
    (grpc.StatusCode.PERMISSION_DENIED, "roles/pubsub.subscriber"),
    (grpc.StatusCode.UNAUTHENTICATED, "gcloud auth application-default login"),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "quota"),
    (grpc.StatusCode.FAILED_PRECONDITION, "supplier-risk pubsub check"),
    (grpc.StatusCode.NOT_FOUND, "create it"),
    (grpc.StatusCode.UNAVAILABLE, "PUBSUB_EMULATOR_HOST"),
    (grpc.StatusCode.INTERNAL, "try again"),
]


@pytest.mark.parametrize(("code", "advice"), REFUSALS)
def test_each_refusal_of_a_pull_or_a_publish_says_what_to_do(
    proxy: Proxy,
    proxied: GooglePubsub,
    connection: Connection,
    analyst: Analyst,
    monkeypatch: pytest.MonkeyPatch,
    code: grpc.StatusCode,
    advice: str,
) -> None:
    monkeypatch.setattr(pubsub_publish, "_PUBLISH_SECONDS", 0.3)
    proxy.refuse(code, "Pull", "Publish", details="no such luck")
    wanted = f"no such luck. What to do: .*{advice}"
    with pytest.raises(BrokerError, match=wanted):
        confirmed(proxied.publish(b"x", {}), _SECONDS)
    with pytest.raises(BrokerError, match=wanted), dg.DagsterInstance.ephemeral() as instance:
        tick(instance)
    with pytest.raises(BrokerError, match=wanted):
        dead_letter_sensor(postgres=Postgres(), pubsub=Pubsub())


@pytest.mark.parametrize(
    ("code", "advice"),
    [refusal for refusal in REFUSALS if refusal[1] in ("roles/pubsub.subscriber", "create it")]
    + [(grpc.StatusCode.UNAUTHENTICATED, "gcloud auth application-default login")],
)
def test_a_stream_that_is_refused_ends_the_worker_with_what_to_do(
    proxy: Proxy,
    proxied: GooglePubsub,
    connection: Connection,
    database: PostgresSettings,
    code: grpc.StatusCode,
    advice: str,
) -> None:
    proxy.refuse(code, "StreamingPull")
    worker = Worker(proxied, database, IngestSettings(), threading.Event(), lambda line: None)
    with pytest.raises(BrokerError, match=advice):
        worker.run()


def test_without_a_key_that_google_takes_the_advice_is_to_log_in(
    proxy: Proxy, proxied: GooglePubsub
) -> None:
    details = "Getting metadata from plugin failed with error: invalid_grant"
    proxy.refuse(UNAVAILABLE, "Pull", details=details)
    with pytest.raises(BrokerError, match="application-default login") as caught:
        proxied.pull(1, 5)
    assert not isinstance(caught.value, BrokerAwayError)


def test_what_landed_but_could_not_be_acknowledged_comes_again_and_is_landed_once(
    proxy: Proxy,
    proxied: GooglePubsub,
    connection: Connection,
    analyst: Analyst,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pubsub_module, "_SETTLE_SECONDS", 3.0)
    publish(proxied, document("fire"))
    proxy.refuse(UNAVAILABLE, "Acknowledge", "ModifyAckDeadline")
    with pytest.raises(BrokerAwayError, match="acknowledging on"):
        land_from(proxied, connection, 10, LIMIT)
    with pytest.raises(BrokerAwayError, match="rejecting on"):
        proxied.reject(["receipt"])
    assert proxy.calls["Acknowledge"] > 1
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(tick(instance).run_requests or []) == 1
    assert count(connection, "ingest.documents") == 1
    assert violations(connection) == {}


def test_a_subscription_that_is_deleted_between_pull_and_acknowledgement_loses_nothing(
    broker: GooglePubsub, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(broker, document("fire"))
    real = broker.acknowledge

    def delete_and_acknowledge(receipts: list[str]) -> None:
        _, subscriber = broker.clients()
        subscriber.delete_subscription(subscription=broker.subscription)
        real(receipts)

    monkeypatch.setattr(broker, "acknowledge", delete_and_acknowledge)
    with pytest.raises(BrokerError, match=r"supplier-news-ingest.*create it"):
        land_from(broker, connection, 10, LIMIT)
    assert list(states(connection).values()) == ["pending"]


def test_a_subscription_that_is_deleted_under_a_stream_ends_the_worker(
    broker: GooglePubsub,
    connection: Connection,
    database: PostgresSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "_IDLE_SECONDS", 0.5)
    publish(broker, document("fire"))
    worker = Worker(broker, database, IngestSettings(), threading.Event(), lambda line: None)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            worker.run()
        except BrokerError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    waits(connection, 1)
    _, subscriber = broker.clients()
    subscriber.delete_subscription(subscription=broker.subscription)
    thread.join(_SECONDS)
    assert not thread.is_alive()
    assert "does not exist: create it" in str(failures)


def test_a_worker_stops_when_it_is_told_to_while_the_broker_is_away(
    proxy: Proxy,
    proxied: GooglePubsub,
    broker: GooglePubsub,
    connection: Connection,
    database: PostgresSettings,
) -> None:
    with working(proxied, database, []) as finish:
        publish(broker, document("fire"))
        waits(connection, 1)
        proxy.refuse(UNAVAILABLE, "*")
        assert finish() == {"document": 1}


def test_a_worker_goes_on_when_the_broker_that_went_away_is_back(
    proxy: Proxy,
    proxied: GooglePubsub,
    broker: GooglePubsub,
    connection: Connection,
    database: PostgresSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "_IDLE_SECONDS", 0.5)
    lines: list[str] = []
    with working(proxied, database, lines) as finish:
        publish(broker, document("fire"))
        waits(connection, 1)
        proxy.refuse(UNAVAILABLE, "*")
        eventually("noticed", lambda: any("waiting for the broker" in line for line in lines))
        publish(broker, document("flood", "2"))
        proxy.allow()
        waits(connection, 2)
        assert finish() == {"document": 2}


@pytest.fixture
def silent_host(broker: GooglePubsub, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Takes connections and says nothing; also in the environment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
        yield host


def test_a_broker_that_never_answers_is_not_taken_for_one_without_messages(
    silent_host: str, connection: Connection, database: PostgresSettings, analyst: Analyst
) -> None:
    with pytest.raises(BrokerAwayError), dg.DagsterInstance.ephemeral() as instance:
        tick(instance)
    with pytest.raises(BrokerAwayError):
        dead_letter_sensor(postgres=Postgres(), pubsub=Pubsub())
    with GooglePubsub(PubsubSettings.load()) as silent:
        worker = Worker(silent, database, IngestSettings(), threading.Event(), lambda line: None)
        with pytest.raises(BrokerAwayError):
            worker.run()
        with pytest.raises(BrokerError, match=r"within 1 s.*PUBSUB_EMULATOR_HOST"):
            confirmed(silent.publish(b"x", {}), 1)


def test_the_sensor_without_a_database_names_its_settings_and_leaves_the_messages(
    broker: GooglePubsub,
    connection: Connection,
    analyst: Analyst,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(broker, document("fire"))
    with monkeypatch.context() as away, dg.DagsterInstance.ephemeral() as instance:
        away.setenv("POSTGRES_PORT", "1")
        with pytest.raises(psycopg.OperationalError, match=r"(?s)cannot be reached.*POSTGRES_PORT"):
            tick(instance)
    assert land_from(broker, connection, 10, LIMIT) == {"document": 1}


def test_a_redrive_that_is_refused_leaves_the_dead_letters_open(
    proxy: Proxy, proxied: GooglePubsub, connection: Connection
) -> None:
    publish(proxied, b"no json")
    land_from(proxied, connection, 5, LIMIT)
    (letter,) = find(connection, Filter())
    proxy.refuse(grpc.StatusCode.PERMISSION_DENIED, "Publish")
    with pytest.raises(BrokerError, match=r"roles/pubsub\.publisher.*redrive the same ones again"):
        redrive(connection, proxied, [letter["dead_letter_id"]])
    proxy.refused.clear()
    assert redrive(connection, proxied, [letter["dead_letter_id"]]) == 1
