"""The SQL of landing: what a batch touches is read, what its plan decided is written.

Everything here runs inside the transaction of `landing.land`; nothing here decides.
"""

import json
from collections.abc import Sequence

from orchestration.ingestion.message import Document, batch_id_of
from orchestration.ingestion.placing import Delivery, Known, KnownDocument, Plan, Refusal
from orchestration.resources.postgres import Connection


def load_known(connection: Connection, subscription: str, batch: Sequence[Delivery]) -> Known:
    """What the tables hold of these messages, and the documents that theirs may touch."""
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

        -- each goes to the original of its own text when the batch supersedes what it points to
        copy as (
            select documents.document_id, documents.content_sha256
            from same_document
            inner join ingest.documents on same_document.document_id = documents.duplicate_of
            where documents.superseded_by is null
        ),

        original as (
            select document_id from ingest.documents
            where
                duplicate_of is null and superseded_by is null
                and content_sha256 in (
                    select unnest(%s::bytea[]) union select content_sha256 from copy
                )
        )

        select
            document_id, source, external_id, version, content_sha256,
            superseded_by is not null as is_superseded, duplicate_of
        from ingest.documents
        where
            document_id in (
                table same_document union table original union select document_id from copy
            )
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


def write_documents(connection: Connection, result: Plan) -> None:
    """New documents, and the marks on those that they touch."""
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


def write_messages(connection: Connection, subscription: str, result: Plan) -> None:
    """New messages, numbered in the order of the plan, and the count of redeliveries."""
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


def write_refusals(connection: Connection, subscription: str, refusals: Sequence[Refusal]) -> None:
    """Why messages were refused; their bytes once, however often they came."""
    payloads = {r.delivery.data_sha256: r.delivery.message.data for r in refusals}
    rows = [
        (
            subscription,
            refusal.delivery.message.message_id,
            refusal.reason,
            refusal.detail,
            refusal.delivery.data_sha256,
            json.dumps(dict(refusal.delivery.message.attributes)),
        )
        for refusal in refusals
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ingest.payloads (data_sha256, data) values (%s, %s)"
            " on conflict (data_sha256) do nothing",
            list(payloads.items()),
        )
        cursor.executemany(
            """
            insert into ingest.rejections (
                subscription, message_id, reason, detail, data_sha256, attributes
            ) values (%s, %s, %s, %s, %s, %s)
            on conflict (subscription, message_id, data_sha256) do nothing
            """,
            rows,
        )


def queue(connection: Connection, result: Plan) -> None:
    """Ask for the mentions of each document that became current, and is no copy."""
    connection.execute(
        """
        insert into risk.work_items (subject_type, subject_id, step)
        select 'document', document_id, 'mentions' from unnest(%s::uuid[]) as document_id
        on conflict (subject_type, subject_id, step, generation_id) do update
        set
            state = 'pending', outcome = null, detail = null, attempts = 0, available_at = now(),
            finished_at = null
        """,
        [result.to_score()],
    )
