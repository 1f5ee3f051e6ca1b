"""The command line in trouble: a sentence with what to do, the exit code, and no traceback."""

import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from orchestration.ingestion.dead_letters import Filter, find
from orchestration.ingestion.landing import land
from orchestration.resources.postgres import Connection
from orchestration.resources.pubsub import GooglePubsub
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, document, message
from tests.local.stack import eventually
from tests.pubsub_proxy import Proxy
from tests.test_cli import supplier_risk

UNREACHABLE = "127.0.0.1:1"


@pytest.fixture
def news(tmp_path: Path) -> str:
    path = tmp_path / "news.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    return str(path)


def fails(code: int, *arguments: str) -> str:
    """What the command says, in one line."""
    done = supplier_risk(*arguments)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, said
    assert "Traceback" not in said, said
    assert "Exception in thread" not in said
    return said


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("POSTGRES_PORT", "1", "PostgreSQL cannot be reached"),
        ("PUBSUB_EMULATOR_HOST", UNREACHABLE, "is the network, or the emulator"),
        ("PUBSUB_SUBSCRIPTION", "does-not-exist", "it does not exist: create it"),
    ],
)
def test_ingest_does_not_begin_without_what_it_needs(
    broker: GooglePubsub,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    workers: str,
    variable: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setenv(variable, value)
    said = fails(1, "ingest", "--workers", workers)
    assert words in said
    if workers == "2":
        assert "worker 1: Error: " in said or "worker 2: Error: " in said
        assert "start `supplier-risk ingest` anew" in said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ingest_with_a_wrong_setting_is_wrong_use_and_said_once(
    broker: GooglePubsub, connection: Connection, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("INGEST_MAX_DOCUMENT_BYTES", "many")
    said = fails(2, "ingest", "--workers", workers)
    assert said.count("INGEST_MAX_DOCUMENT_BYTES is wrong") == 1


def test_ingest_of_two_processes_ends_when_one_is_refused(
    proxy: Proxy, connection: Connection
) -> None:
    proxy.refuse(grpc.StatusCode.PERMISSION_DENIED, "StreamingPull")
    said = fails(1, "ingest", "--workers", "2")
    assert "roles/pubsub.subscriber" in said
    assert "What they held comes again" in said


def test_ingest_ends_well_on_sigterm_while_the_broker_is_away(
    proxy: Proxy, broker: GooglePubsub, connection: Connection
) -> None:
    broker.publish(document("fire"), {}).result(10)
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "ingest"], stderr=subprocess.PIPE, text=True
    )
    eventually("landed", lambda: connection.execute("select from ingest.messages").rowcount == 1)
    proxy.refuse(grpc.StatusCode.UNAVAILABLE, "*")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "stopped; landed 1 document" in said
    assert "Traceback" not in said, said


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "roles/pubsub.publisher"),
        (grpc.StatusCode.UNAUTHENTICATED, "gcloud auth application-default login"),
        (grpc.StatusCode.NOT_FOUND, "create it"),
    ],
)
def test_publish_that_is_refused_says_how_many_arrived_and_what_to_do(
    proxy: Proxy, news: str, code: grpc.StatusCode, words: str
) -> None:
    proxy.refuse(code, "Publish")
    said = fails(1, "publish", news)
    assert "after the 0 confirmed ones" in said
    assert words in said
    assert "Publishing the same files again is safe" in said


@pytest.mark.slow
@pytest.mark.parametrize("ordering_key", ["", "key"])
def test_publish_gives_a_broker_up_that_went_away_for_good(
    proxy: Proxy, news: str, ordering_key: str
) -> None:
    proxy.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "Publish", details="quota exceeded")
    said = fails(1, "publish", news, "--ordering-key", ordering_key)
    assert "quota exceeded. What to do: try again later" in said


def test_a_redrive_that_is_refused_leaves_the_dead_letters_listed(
    proxy: Proxy, connection: Connection
) -> None:
    land(connection, SUBSCRIPTION, [message(b"no json")], LIMIT)
    (letter,) = find(connection, Filter())
    proxy.refuse(grpc.StatusCode.PERMISSION_DENIED, "Publish")
    said = fails(1, "dead-letters", "redrive", letter["dead_letter_id"])
    assert "roles/pubsub.publisher" in said
    assert "redrive the same ones again" in said
    assert letter["dead_letter_id"] in supplier_risk("dead-letters", "list").stdout


@pytest.mark.parametrize(
    "arguments", [("list",), ("show", "message-1"), ("redrive", "--all"), ("drop", "--all")]
)
def test_dead_letters_without_a_database_is_a_sentence(
    broker: GooglePubsub,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setenv("POSTGRES_PORT", "1")
    assert "POSTGRES_HOST" in fails(1, "dead-letters", *arguments)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "roles/pubsub.viewer"),
        (grpc.StatusCode.UNAUTHENTICATED, "gcloud auth application-default login"),
        (grpc.StatusCode.UNAVAILABLE, "PUBSUB_EMULATOR_HOST"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "PUBSUB_EMULATOR_HOST"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "try again"),
    ],
)
def test_pubsub_check_that_is_refused_says_what_to_do(
    proxy: Proxy, code: grpc.StatusCode, words: str
) -> None:
    proxy.refuse(code, "GetSubscription")
    assert words in fails(1, "pubsub", "check")
