"""The dead-letter topic, both ways: what the pipeline gave up on goes out, what Pub/Sub gave up on
comes in and is kept, bytes and all, without being read: reading it may be what killed its readers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from orchestration.errors import BrokerError
from orchestration.ingestion.landing import consume, place
from orchestration.ingestion.message import Document, Rejected
from orchestration.ingestion.placing import AlreadyLanded, Delivery
from orchestration.resources.broker import Broker, Message, confirmed
from orchestration.resources.postgres import Connection

_CHUNK = 200
_RESULT_SECONDS = 60.0
_MAX_ATTRIBUTE_BYTES = 1_024
_SOURCE = "CloudPubSubDeadLetterSourceSubscription"
_DELIVERIES = "CloudPubSubDeadLetterSourceDeliveryCount"


def publish_dead(connection: Connection, broker: Broker) -> int:
    """Publish each document whose work is dead and that was not published since; returns how many.

    Recorded after the broker confirmed: a crash in between publishes some twice, with the same
    `dead_letter_id`. Raises BrokerError.
    """
    published = 0
    while rows := connection.execute(_UNPUBLISHED, [_CHUNK]).fetchall():
        sent = [broker.publish(_document(row).to_json(), _attributes(row)) for row in rows]
        connection.execute(
            "insert into risk.dead_letter_messages (topic, message_id, item_id)"
            " select %s, * from unnest(%s::text[], %s::bigint[])"
            " on conflict (topic, message_id) do update"
            " set item_id = excluded.item_id, published_at = excluded.published_at",
            [broker.topic, _confirmed(sent), [row["item_id"] for row in rows]],
        )
        published += len(rows)
    return published


def drain(broker: Broker, connection: Connection, seconds: float) -> Counter[str]:
    """Take in what Pub/Sub forwarded; returns how many were `kept`, had `landed`, came
    again (`redelivered`), were `ours`."""
    return consume(broker, seconds, partial(_take_in, connection, broker.subscription))


_UNPUBLISHED = """
select
    letters.item_id, letters.dead_letter_id, letters.step, letters.attempts, letters.reason,
    coalesce(letters.last_error, '') as last_error, letters.dead_since, documents.*
from risk.dead_letters as letters
inner join ingest.documents using (document_id)
where
    letters.state = 'open'
    and not exists (
        select from risk.dead_letter_messages as sent
        where sent.item_id = letters.item_id and sent.published_at >= letters.dead_since
    )
order by letters.item_id
limit %s
"""


def _document(row: Mapping[str, Any]) -> Document:
    fields = {name: row[name] for name in Document.model_fields if name in row}
    return Document(**fields, text=row["body"])


def _attributes(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "origin": "pipeline",
        "dead_letter_id": row["dead_letter_id"],
        "step": row["step"],
        "reason": row["reason"],
        "last_error": row["last_error"].encode()[:_MAX_ATTRIBUTE_BYTES].decode(errors="ignore"),
        "attempts": str(row["attempts"]),
    }


def _confirmed(sent: Sequence["Future[str]"]) -> list[str]:
    try:
        return [confirmed(future, _RESULT_SECONDS) for future in sent]
    except BrokerError as error:
        raise BrokerError(
            f"Pub/Sub did not take a dead document: {error} It is published again later; does "
            "the dead-letter topic exist? `supplier-risk pubsub check`"
        ) from error


def _take_in(
    connection: Connection, subscription: str, messages: Sequence[Message]
) -> Counter[str]:
    theirs = [message for message in messages if not _is_ours(message)]
    hashes = [Delivery(message, 0).data_sha256 for message in theirs]
    rows = connection.execute(
        "select distinct on (data_sha256) data_sha256, document_id from ingest.messages"
        " where data_sha256 = any(%s) and document_id is not null order by data_sha256, sequence",
        [hashes],
    )
    landed = {row["data_sha256"]: row["document_id"] for row in rows}
    counts = place(connection, subscription, [Forwarded(m, 0, landed) for m in theirs]).counts()
    return +Counter(
        kept=counts["rejection"] + counts["conflict"],
        landed=counts["duplicate"],
        redelivered=counts["redelivered"],
        ours=len(messages) - len(theirs),
    )


def _is_ours(message: Message) -> bool:
    """Published by `publish_dead`. Others may claim so, but not of what Pub/Sub forwarded."""
    return message.attributes.get("origin") == "pipeline" and _SOURCE not in message.attributes


@dataclass(frozen=True)
class Forwarded(Delivery):
    """What Pub/Sub gave up on, under a new id. `landed` knows documents by their bytes."""

    landed: Mapping[bytes, UUID]

    @cached_property
    def content(self) -> Document | Rejected | AlreadyLanded:
        """The document that these bytes landed as, or that they are kept unread."""
        document_id = self.landed.get(self.data_sha256)
        if document_id is not None:
            return AlreadyLanded(document_id)
        deliveries = self.message.attributes.get(_DELIVERIES, "an unknown number of")[:20]
        return Rejected(
            "dead_lettered",
            f"Pub/Sub gave up after {deliveries} deliveries: none was acknowledged, as if each "
            "reader had died of it. Not read; redrive it to try again.",
        )
