"""Bad input and bad weather, for the sensor and the worker: a sentence, and nothing is lost."""

import gzip
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import dagster as dg
import grpc
import pytest

from orchestration.errors import BrokerAwayError, BrokerError
from orchestration.ingestion import worker as worker_module
from orchestration.ingestion.dead_letter_jobs import dead_letter_sensor
from orchestration.ingestion.dead_letters import Filter, find, payload, redrive
from orchestration.ingestion.landing import land_from
from orchestration.ingestion.worker import Worker
from orchestration.resources import pubsub as pubsub_module
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
from tests.pubsub_proxy import Proxy, open_proxy

_SECONDS = 30
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
ODD = "\x00\t\n\x1b[31m\u202e\U0001f600 ' \" \\ {} %s $1"


@pytest.fixture
def proxy(
    broker: GooglePubsub, emulator_host: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    """Between this test and the emulator; also in the environment."""
    with open_proxy(emulator_host) as proxy:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", proxy.host)
        yield proxy


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
