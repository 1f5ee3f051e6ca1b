"""The streaming worker on the real emulator: it lands, waits for the database, drains, and dies."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from orchestration.errors import BrokerError
from orchestration.ingestion.worker import Worker
from orchestration.local import postgres
from orchestration.resources.postgres import Connection
from orchestration.resources.pubsub import GooglePubsub
from orchestration.scoring.checks import violations
from orchestration.settings import CRASH_POINT_VARIABLE, IngestSettings, PostgresSettings
from tests.ingestion.test_landing import count, document
from tests.local.stack import eventually
from tests.pubsub_proxy import Proxy

_PATIENCE_SECONDS = 90


def publish(broker: GooglePubsub, numbers: range, ordering_key: str = "") -> set[str]:
    sent = [broker.publish(document(f"news {n}", str(n)), {}, ordering_key) for n in numbers]
    return {future.result(30) for future in sent}


@contextmanager
def working(
    broker: GooglePubsub, database: PostgresSettings, lines: list[str]
) -> Iterator[Callable[[], Counter[str]]]:
    """A worker in a thread; the function stops it and gives its counts."""
    stop = threading.Event()
    worker = Worker(broker, database, IngestSettings(), stop, lines.append)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(worker.run)

        def finish() -> Counter[str]:
            stop.set()
            return running.result(_PATIENCE_SECONDS)

        try:
            yield finish
        finally:
            stop.set()


def waits(connection: Connection, messages: int) -> None:
    eventually(f"{messages} messages", lambda: count(connection, "ingest.messages") == messages)


def test_what_streams_in_is_landed_once_and_acknowledged(
    broker: GooglePubsub, connection: Connection, database: PostgresSettings
) -> None:
    published = publish(broker, range(700)) | publish(broker, range(50))
    lines: list[str] = []
    with working(broker, database, lines) as finish:
        waits(connection, 750)
        assert finish() == {"document": 700, "duplicate": 50}
    landed = connection.execute("select message_id from ingest.messages")
    assert {row["message_id"] for row in landed} == published
    assert broker.pull(10, 1) == []
    assert "700 document" in lines[-1]
    assert violations(connection) == {}


def test_messages_of_one_ordering_key_are_numbered_in_their_order(
    broker: GooglePubsub, connection: Connection, database: PostgresSettings
) -> None:
    publish(broker, range(60), "siemens")
    with working(broker, database, []) as finish:
        waits(connection, 60)
        finish()
    rows = connection.execute(
        "select external_id from ingest.messages inner join ingest.documents using (document_id)"
        " order by sequence"
    )
    assert [row["external_id"] for row in rows] == [str(n) for n in range(60)]


def test_a_database_that_goes_away_is_waited_for_and_nothing_is_lost(
    broker: GooglePubsub,
    connection: Connection,
    database: PostgresSettings,
    cluster: postgres.Cluster,
) -> None:
    lines: list[str] = []
    with working(broker, database, lines) as finish:
        publish(broker, range(20))
        waits(connection, 20)
        with cluster.connect("postgres") as owner:
            owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'supplier-risk ingest' and datname = %s",
                [database.database],
            )
        publish(broker, range(20, 40))
        waits(connection, 40)
        assert sum(finish().values()) >= 20
    assert any("PostgreSQL is away" in line for line in lines)
    assert violations(connection) == {}


def test_without_a_database_it_does_not_begin(
    broker: GooglePubsub, database: PostgresSettings
) -> None:
    nowhere = database.model_copy(update={"port": 1})
    with pytest.raises(psycopg.OperationalError), working(broker, nowhere, []) as finish:
        finish()


def test_a_subscription_that_is_missing_or_deleted_ends_it_with_what_to_do(
    broker: GooglePubsub,
    connection: Connection,
    database: PostgresSettings,
) -> None:
    _, subscriber = broker.clients()
    subscriber.delete_subscription(subscription=broker.subscription)
    worker = Worker(broker, database, IngestSettings(), threading.Event(), lambda line: None)
    with pytest.raises(BrokerError, match="does not exist: create it"):
        worker.run()


def start(workers: int, crash_point: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "ingest", "--workers", str(workers)],
        env={**os.environ, CRASH_POINT_VARIABLE: crash_point},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_share_a_subscription_and_drain_on_sigterm(
    broker: GooglePubsub, connection: Connection, database: PostgresSettings
) -> None:
    published = publish(broker, range(300))
    process = start(workers=2)
    waits(connection, len(published))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert "worker 1: stopped" in said
    assert "worker 2: stopped" in said
    assert broker.pull(10, 1) == []
    assert violations(connection) == {}


@pytest.mark.parametrize("point", ["after_pull", "after_insert", "after_commit_before_ack"])
def test_after_a_kill_another_worker_lands_what_was_held(
    broker: GooglePubsub,
    proxy: Proxy,
    connection: Connection,
    database: PostgresSettings,
    point: str,
) -> None:
    """Through the proxy, which ends the stream of the killed one; the emulator does not."""
    published = publish(broker, range(5))
    killed = start(1, crash_point=point)
    killed.communicate(timeout=_PATIENCE_SECONDS)
    assert killed.returncode == -signal.SIGKILL
    with working(broker, database, []) as finish:
        waits(connection, len(published))
        finish()
    landed = connection.execute("select message_id from ingest.messages")
    assert {row["message_id"] for row in landed} == published
    assert count(connection, "ingest.documents") == len(published)
    assert violations(connection) == {}
