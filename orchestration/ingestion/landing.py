"""Landing: a pulled batch becomes rows in one transaction, is committed, and only then acked.

Landers take turns: what a document is depends on all that landed before it, also on rows that its
batch does not touch, such as the copy that will take its place. Unique indexes stand guard behind.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence

from orchestration.ingestion.message import Document, batch_id_of
from orchestration.ingestion.placing import Delivery, Known, KnownDocument, Plan, plan
from orchestration.resources.broker import Broker, Message
from orchestration.resources.postgres import Connection

PULL_MESSAGES = 500
PULL_SECONDS = 1.0


def land(
    connection: Connection, subscription: str, messages: Sequence[Message], max_document_bytes: int
) -> Plan:
    """Write one pulled batch and commit. Safe to repeat with the same messages."""
    batch = [Delivery(message, max_document_bytes) for message in messages]
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('ingest.documents'))")
        result = plan(batch, _load_known(connection, subscription, batch))
        _write_documents(connection, result)
        _write_messages(connection, subscription, result)
        _write_refusals(connection, subscription, result)
        _queue(connection, result)
    return result


def land_from(
    broker: Broker, connection: Connection, seconds: float, max_document_bytes: int
) -> Counter[str]:
    """Pull, land and acknowledge until two pulls in a row are empty or the time is used up.

    One empty pull says little: Pub/Sub may return none while there are some. Returns the messages
    by what became of them (see `Plan.counts`).
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
        counts += land(connection, broker.subscription, batch, max_document_bytes).counts()
        broker.acknowledge([message.receipt for message in batch])
    return counts


def _load_known(connection: Connection, subscription: str, batch: Sequence[Delivery]) -> Known:
    messages = connection.execute(
        "select message_id, data_sha256 from ingest.messages"
        " where subscription = %s and message_id = any(%s)",
        [subscription, [delivery.message.message_id for delivery in batch]],
    )
    read = [d.content for d in batch if isinstance(d.content, Document)]
    documents = connection.execute(
        """
        with same_document as (
            select documents.document_id
            from unnest(%s::text[], %s::text[]) as wanted (source, external_id)
            inner join ingest.documents using (source, external_id)
        ),

        original as (
            select document_id from ingest.documents
            where content_sha256 = any(%s) and duplicate_of is null and superseded_by is null
        ),

        -- one of these takes the place of an original that the batch supersedes
        copy as (
            select documents.document_id
            from same_document
            inner join ingest.documents on same_document.document_id = documents.duplicate_of
            where documents.superseded_by is null
        )

        select
            document_id, source, external_id, version, content_sha256,
            superseded_by is not null as is_superseded, duplicate_of is not null as is_copy
        from ingest.documents
        where document_id in (table same_document union table original union table copy)
        order by (
            select min(messages.sequence) from ingest.messages
            where messages.document_id = documents.document_id
        )
        """,
        [
            [document.source for document in read],
            [document.identity for document in read],
            [document.content_sha256 for document in read],
        ],
    )
    return Known(
        messages={row["message_id"]: row["data_sha256"] for row in messages},
        documents=[KnownDocument(**row) for row in documents],
    )


def _write_documents(connection: Connection, result: Plan) -> None:
    connection.execute(
        """
        update ingest.documents set superseded_by = newer.document_id
        from unnest(%s::uuid[], %s::uuid[]) as newer (older_id, document_id)
        where documents.document_id = newer.older_id
        """,
        [list(result.superseded), list(result.superseded.values())],
    )
    connection.execute(
        """
        update ingest.documents set duplicate_of = moved.original_id
        from unnest(%s::uuid[], %s::uuid[]) as moved (copy_id, original_id)
        where documents.document_id = moved.copy_id
        """,
        [list(result.moved_copies), list(result.moved_copies.values())],
    )
    rows = [
        {
            **new.document.model_dump(exclude={"supplier_hints", "external_id"}),
            "document_id": new.document_id,
            "external_id": new.document.identity,
            "publisher": new.document.publisher or new.document.source,
            "content_sha256": new.document.content_sha256,
            "supplier_hints": json.dumps([h.model_dump() for h in new.document.supplier_hints]),
            "duplicate_of": new.duplicate_of,
            "superseded_by": new.superseded_by,
        }
        for new in result.documents.values()
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into ingest.documents (
                document_id, source, external_id, version, title, body, publisher, url, language,
                published_at, original_published_at, content_sha256, supplier_hints,
                duplicate_of, superseded_by
            ) values (
                %(document_id)s, %(source)s, %(external_id)s, %(version)s, %(title)s, %(text)s,
                %(publisher)s, %(url)s, %(language)s, %(published_at)s, %(original_published_at)s,
                %(content_sha256)s, %(supplier_hints)s, %(duplicate_of)s, %(superseded_by)s
            )
            """,
            rows,
        )


def _write_messages(connection: Connection, subscription: str, result: Plan) -> None:
    rows = [
        (
            subscription,
            new.delivery.message.message_id,
            new.landed_as,
            new.document_id,
            new.delivery.data_sha256,
            batch_id_of(new.delivery.message.attributes),
            new.delivery.message.ordering_key.replace("\x00", "") or None,
            new.delivery.message.publish_time,
        )
        for new in result.messages
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into ingest.messages (
                subscription, message_id, landed_as, document_id, data_sha256, batch_id,
                ordering_key, publish_time
            ) values (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            rows,
        )
    connection.execute(
        "update ingest.messages set delivery_count = delivery_count + 1"
        " where subscription = %s and message_id = any(%s)",
        [subscription, result.redelivered],
    )


def _write_refusals(connection: Connection, subscription: str, result: Plan) -> None:
    rows = [
        (
            subscription,
            refusal.delivery.message.message_id,
            refusal.reason,
            refusal.detail,
            refusal.delivery.message.data,
            refusal.delivery.data_sha256,
            json.dumps(dict(refusal.delivery.message.attributes)),
        )
        for refusal in result.refusals
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into ingest.rejections (
                subscription, message_id, reason, detail, data, data_sha256, attributes
            ) values (%s, %s, %s, %s, %s, %s, %s)
            on conflict (subscription, message_id, data_sha256) do nothing
            """,
            rows,
        )


def _queue(connection: Connection, result: Plan) -> None:
    """Ask for the mentions of each document that became current, and is no copy."""
    connection.execute(
        "insert into risk.work_items (subject_type, subject_id, step)"
        " select 'document', document_id, 'mentions' from unnest(%s::uuid[]) as document_id",
        [result.to_score()],
    )
