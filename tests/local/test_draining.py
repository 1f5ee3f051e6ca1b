"""Before the emulator ends with all its messages: landed, or said to be lost."""

import threading
import time
from collections.abc import Iterator

import pytest

from orchestration.errors import BrokerError
from orchestration.ingestion.dead_letter_topic import publish_dead
from orchestration.local import emulator
from orchestration.local.draining import drain, open_published
from orchestration.resources.postgres import Connection, one
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import LocalSettings, PubsubSettings
from tests.conftest import Analyst, Services
from tests.scoring.scenario import RECALL, land_texts, run

LIMIT = 1_000_000


@pytest.fixture
def host(services: Services) -> Iterator[str]:
    """An emulator of the test's own: it counts what was published in all its life."""
    port = services.state.ports(("own-emulator",))["own-emulator"]
    host = f"127.0.0.1:{port}"
    part = emulator.part(port, services.state.logs / "own-emulator.log", LocalSettings())
    process = services.run(part, lambda: emulator.answers(host))
    yield host
    process.kill()
    process.wait()


@pytest.fixture
def own_broker(host: str) -> Iterator[GooglePubsub]:
    with GooglePubsub(emulator.prepare(host, previous_project=None)) as broker:
        yield broker


def publish(broker: GooglePubsub, number: int) -> None:
    for n in range(number):
        broker.publish(f'{{"text": "Siemens recalls {n} valves."}}'.encode(), {}).result()


def landed(connection: Connection) -> int:
    return int(one(connection, "select count(*) as n from ingest.messages")["n"])


def test_what_waits_lands_and_nothing_is_lost(
    host: str, own_broker: GooglePubsub, connection: Connection
) -> None:
    publish(own_broker, 250)
    with open_published(host) as published:
        said = drain(own_broker, connection, published, LIMIT)
        assert (
            said
            == "The subscription is drained: 250 messages landed on the way down, none is lost."
        )
        assert landed(connection) == 250
        assert "drained: 0 messages" in drain(own_broker, connection, published, LIMIT)


def test_what_is_leased_to_somebody_who_died_is_waited_for(
    host: str, own_broker: GooglePubsub, connection: Connection
) -> None:
    publish(own_broker, 3)
    leased = [message.receipt for message in own_broker.pull(10, timeout=5)]
    assert leased
    expiry = threading.Timer(2, own_broker.reject, [leased])
    expiry.start()
    with open_published(host) as published:
        assert "drained: 3 messages" in drain(own_broker, connection, published, LIMIT)
    expiry.join()


def test_what_does_not_come_in_time_is_said_to_be_lost(
    host: str, own_broker: GooglePubsub, connection: Connection
) -> None:
    publish(own_broker, 3)
    leased = own_broker.pull(2, timeout=5)
    with open_published(host) as published:
        said = drain(own_broker, connection, published, LIMIT, seconds=1.0)
    assert f"not drained: {3 - len(leased)} messages landed" in said
    assert f"at most {len(leased)} are lost" in said


def test_the_dead_letters_that_the_pipeline_published_are_not_missed(
    host: str, own_broker: GooglePubsub, connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    analyst.fail_with({"kind": "refusal", "times": 1})
    run(connection, analyst.settings)
    settings = PubsubSettings(
        project_id=own_broker.topic.split("/")[1], emulator_host=host
    ).of_dead_letters()
    with GooglePubsub(settings) as dead_topic:
        assert publish_dead(connection, dead_topic) == 1
    with open_published(host) as published:
        assert "drained: 0 messages" in drain(own_broker, connection, published, LIMIT, seconds=5)


def test_an_emulator_that_is_gone_is_said_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(BrokerError, match="not reachable"), open_published("127.0.0.1:1"):
        pass
    assert time.monotonic() - started < 15
