"""Landing: a pulled batch becomes rows in one transaction, is committed, and only then acked.

Landers take turns: what a document is depends on all that landed before it, also on rows that its
batch does not touch, such as the copy that will take its place. Unique indexes stand guard behind.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from orchestration.crash_points import reach
from orchestration.ingestion import landing_tables as tables
from orchestration.ingestion.placing import Delivery, Plan, plan
from orchestration.resources.broker import Broker, Message
from orchestration.resources.postgres import Connection

FIRST_PULL_MESSAGES = 16
MAX_PULL_MESSAGES = 1_000
MAX_BATCH_BYTES = 8_000_000
PULL_SECONDS = 1.0
SUSPECT_DELIVERIES = 3


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
        take_turn(connection)
        result = plan(batch, tables.load_known(connection, subscription, batch))
        tables.write_documents(connection, result)
        tables.write_messages(connection, subscription, result)
        tables.write_refusals(connection, subscription, result.refusals)
        tables.queue(connection, result)
        reach("after_insert")
    reach("after_commit_before_ack")
    return result


def take_turn(connection: Connection) -> None:
    """Let no other decide, until the end of this transaction, which documents are originals."""
    connection.execute("select pg_advisory_xact_lock(hashtext('ingest.documents'))")


def landed_after(connection: Connection, sequence: int) -> tuple[Counter[str], int]:
    """Messages that were landed after this one, by what they were landed as, and the last one's
    sequence: landers take turns, so that none is committed with a lower one later."""
    rows = connection.execute(
        "select landed_as, count(*) as messages, max(sequence) as last from ingest.messages"
        " where sequence > %s group by landed_as",
        [sequence],
    ).fetchall()
    counts = Counter({row["landed_as"]: row["messages"] for row in rows})
    return counts, max((row["last"] for row in rows), default=sequence)


def land_from(
    broker: Broker,
    connection: Connection,
    seconds: float,
    max_document_bytes: int,
    counts: Counter[str] | None = None,
) -> Counter[str]:
    """Land what waits on the subscription; returns the messages by what became of them (see
    `Plan.counts`), which are in `counts`, too, when it ends with an error.
    """
    return consume(
        broker,
        seconds,
        lambda batch: land(connection, broker.subscription, batch, max_document_bytes).counts(),
        counts,
    )


def consume(
    broker: Broker,
    seconds: float,
    land_batch: Callable[[Sequence[Message]], Counter[str]],
    counts: Counter[str] | None = None,
) -> Counter[str]:
    """Pull, land and acknowledge until two pulls in a row are empty or the time is used up."""
    counts = Counter() if counts is None else counts
    for batch in pulls(broker, seconds):
        reach("after_pull")
        for part in at_risk_apart(batch):
            counts.update(land_batch(part))
            broker.acknowledge([message.receipt for message in part])
            reach("after_ack")
    return counts


def pulls(broker: Broker, seconds: float) -> Iterator[Sequence[Message]]:
    """Batch after batch; the next one is pulled while the last one lands.

    One empty pull says little: Pub/Sub may return none while there are some. A pull asks for few
    messages first, then for more as long as they are small: what is in memory stays bounded.
    """
    deadline = time.monotonic() + seconds
    empty_pulls, size = 0, FIRST_PULL_MESSAGES
    with ThreadPoolExecutor(1) as puller:

        def pull() -> "Future[list[Message]]":
            left = max(0.01, deadline - time.monotonic())
            return puller.submit(broker.pull, size, timeout=min(PULL_SECONDS, left))

        pulled = pull()
        while True:
            batch = pulled.result()
            empty_pulls = 0 if batch else empty_pulls + 1
            size = next_size(size, batch)
            is_last = empty_pulls == 2 or time.monotonic() > deadline
            if not is_last:
                pulled = pull()
            if batch:
                yield batch
            if is_last:
                return


def next_size(size: int, batch: Sequence[Message]) -> int:
    """How many messages to ask for after a pull of `size`: at most twice as many, and no more like
    these than fit in MAX_BATCH_BYTES."""
    mean = sum(len(message.data) for message in batch) // max(1, len(batch))
    return max(1, min(2 * size, MAX_BATCH_BYTES // max(1, mean), MAX_PULL_MESSAGES))


def at_risk_apart(batch: Sequence[Message]) -> list[Sequence[Message]]:
    """The batch in parts: first what is fresh, then each message that was tried too often, alone.

    One that kills its readers must not take its neighbours with it to the dead letters. Messages
    with one ordering key stay in their order.
    """
    suspects = {m.ordering_key or m.message_id for m in batch if m.deliveries >= SUSPECT_DELIVERIES}
    fresh = [m for m in batch if (m.ordering_key or m.message_id) not in suspects]
    alone: list[Sequence[Message]] = [
        [m] for m in batch if (m.ordering_key or m.message_id) in suspects
    ]
    return [fresh, *alone] if fresh else alone
