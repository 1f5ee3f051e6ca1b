"""Landing: a pulled batch becomes rows in one transaction, is committed, and only then acked.

Landers take turns: what a document is depends on all that landed before it, also on rows that its
batch does not touch, such as the copy that will take its place. Unique indexes stand guard behind.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from orchestration.crash_points import reach
from orchestration.ingestion import landing_tables as tables
from orchestration.ingestion.placing import Delivery, Plan, plan
from orchestration.resources.broker import Broker, Message
from orchestration.resources.postgres import Connection

PULL_MESSAGES = 500
PULL_SECONDS = 1.0


def land(
    connection: Connection, subscription: str, messages: Sequence[Message], max_document_bytes: int
) -> Plan:
    """Write one pulled batch and commit. Safe to repeat with the same messages."""
    batch = [Delivery(message, max_document_bytes) for message in messages]
    for delivery in batch:
        delivery.read()
    return place(connection, subscription, batch)


def place(connection: Connection, subscription: str, batch: Sequence[Delivery]) -> Plan:
    """Decide on these deliveries and write what was decided, in one transaction."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('ingest.documents'))")
        result = plan(batch, tables.load_known(connection, subscription, batch))
        tables.write_documents(connection, result)
        tables.write_messages(connection, subscription, result)
        tables.write_refusals(connection, subscription, result.refusals)
        tables.queue(connection, result)
        reach("after_insert")
    reach("after_commit_before_ack")
    return result


def land_from(
    broker: Broker, connection: Connection, seconds: float, max_document_bytes: int
) -> Counter[str]:
    """Land what waits on the subscription; returns the messages by what became of them (see
    `Plan.counts`).
    """
    return consume(
        broker,
        seconds,
        lambda batch: land(connection, broker.subscription, batch, max_document_bytes).counts(),
    )


def consume(
    broker: Broker, seconds: float, land_batch: Callable[[Sequence[Message]], Counter[str]]
) -> Counter[str]:
    """Pull, land and acknowledge until two pulls in a row are empty or the time is used up.

    One empty pull says little: Pub/Sub may return none while there are some.
    """
    counts: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    empty_pulls = 0
    while empty_pulls < 2 and (left := deadline - time.monotonic()) > 0:
        batch = broker.pull(PULL_MESSAGES, timeout=min(PULL_SECONDS, left))
        if not batch:
            empty_pulls += 1
            continue
        empty_pulls = 0
        reach("after_pull")
        counts += land_batch(batch)
        broker.acknowledge([message.receipt for message in batch])
        reach("after_ack")
    return counts
