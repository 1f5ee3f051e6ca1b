"""What the emulator still holds when the stack goes down is landed, or said to be lost.

The emulator tells no backlog, and a pull may return nothing while messages wait or are leased to
somebody who died. But it numbers the messages of its life from 1, over all topics: the number of
one more message tells how many were published, and the database knows how many of them landed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import GoogleAPIError

from orchestration.errors import BrokerError
from orchestration.ingestion.landing import land_from
from orchestration.resources.postgres import Connection, one
from orchestration.resources.pubsub import GooglePubsub
from orchestration.resources.pubsub_wanted import ACK_DEADLINE_SECONDS
from orchestration.settings import PubsubSettings

# What is leased to a dead process comes back after the acknowledgement deadline.
DRAIN_SECONDS = ACK_DEADLINE_SECONDS + 8.0
_PULL_SECONDS = 3.0


class Published:
    """What was ever published to an emulator. Get it from `open_published`."""

    def __init__(self, broker: GooglePubsub) -> None:
        self._broker = broker
        self._own = 0

    def count(self) -> int:
        """The messages of all others. Raises BrokerError when the emulator does not answer."""
        with _explained():
            number = int(self._broker.publish(b"-", {}).result(timeout=10))
        self._own += 1
        return number - self._own


@contextmanager
def open_published(emulator_host: str) -> Iterator[Published]:
    """Counts by publishing to a topic of its own. Raises BrokerError without an emulator."""
    settings = PubsubSettings(project_id="counting", topic="counted", emulator_host=emulator_host)
    with GooglePubsub(settings) as broker:
        with _explained():
            if not broker.topic_exists():
                broker.create_topic_and_subscription()
        yield Published(broker)


def drain(
    broker: GooglePubsub,
    connection: Connection,
    published: Published,
    max_document_bytes: int,
    seconds: float = DRAIN_SECONDS,
) -> str:
    """Land until all that was published has landed, or the time is used up; says which."""
    deadline = time.monotonic() + seconds
    before = _landed(connection, broker.subscription)
    missing = published.count() - _accounted_for(connection, broker)
    while missing > 0 and (left := deadline - time.monotonic()) > 0:
        land_from(broker, connection, min(_PULL_SECONDS, left), max_document_bytes)
        missing = published.count() - _accounted_for(connection, broker)
        if missing > 0:
            time.sleep(0.3)
    landed = f"{_landed(connection, broker.subscription) - before} messages landed on the way down"
    if missing > 0:
        return (
            f"The subscription is not drained: {landed}; at most {missing} are lost, which did not "
            f"come within {seconds:.0f} s. Publish them again: what landed counts as a duplicate."
        )
    return f"The subscription is drained: {landed}, none is lost."


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (GoogleAPIError, TimeoutError) as error:
        raise BrokerError(f"The emulator does not answer: {error}") from error


def _accounted_for(connection: Connection, broker: GooglePubsub) -> int:
    """What landed, and what the pipeline itself published to the dead-letter topic."""
    row = one(
        connection,
        "select count(*) as sent from risk.dead_letter_messages where topic = %s",
        [broker.dead_letter_topic],
    )
    return _landed(connection, broker.subscription) + int(row["sent"])


def _landed(connection: Connection, subscription: str) -> int:
    row = one(
        connection,
        "select count(*) as landed from ingest.messages where subscription = %s",
        [subscription],
    )
    return int(row["landed"])
