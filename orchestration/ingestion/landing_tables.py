"""The SQL of landing: what a batch touches is read, what its plan decided is written.

Everything here runs inside the transaction of `landing.land`; nothing here decides.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg.rows import DictRow

from orchestration.ingestion.message import Document, batch_id_of
from orchestration.ingestion.placing import Delivery, Known, KnownDocument, Plan, Refusal
from orchestration.resources.postgres import Connection

# Queries over a batch are planned anew each time (prepare=False): a plan that was kept from when
# the tables were small reads all of them once they are large.
_KNOWN: LiteralString = """
    documents.document_id, documents.source, documents.external_id, documents.version,
    documents.content_sha256, documents.superseded_by is not null as is_superseded,
    documents.duplicate_of,
    (
        select min(messages.sequence) from ingest.messages
        where messages.document_id = documents.document_id
    ) as sequence
"""

_DOCUMENT_COLUMNS: LiteralString = (
    "document_id, source, external_id, version, title, body, publisher, url, language,"
    " published_at, original_published_at, content_sha256, supplier_hints, duplicate_of,"
    " superseded_by"
)
_MESSAGE_COLUMNS: LiteralString = (
    "subscription, message_id, landed_as, document_id, data_sha256, batch_id, ordering_key,"
    " publish_time"
)


def load_known(connection: Connection, subscription: str, batch: Sequence[Delivery]) -> Known:
    """What the tables hold of these messages, and the documents that theirs may touch."""
    messages = connection.execute(
        "select message_id, data_sha256 from ingest.messages"
        " where subscription = %s and message_id = any(%s)",
        [subscription, [delivery.message.message_id for delivery in batch]],
        prepare=False,
    )
    read = [d.content for d in batch if isinstance(d.content, Document)]
    documents = {row["document_id"]: row for row in _load_touched(connection, read)}
    contents = {document.content_sha256 for document in read}
    contents |= {row["content_sha256"] for row in documents.values()}
    documents |= {row["document_id"]: row for row in _load_originals(connection, list(contents))}
    oldest_first = sorted(documents.values(), key=lambda row: row.pop("sequence"))
    return Known(
        messages={row["message_id"]: row["data_sha256"] for row in messages},
        documents=[KnownDocument(**row) for row in oldest_first],
    )


def _load_touched(connection: Connection, read: Sequence[Document]) -> list[DictRow]:
    """Other versions of these documents, and the copies of those: each of them goes to the original
    of its own text when the batch supersedes what it points to."""
    return connection.execute(
        f"""
        with same_document as (
            select documents.document_id
            from unnest(%s::text[], %s::text[]) as wanted (source, external_id)
            inner join ingest.documents using (source, external_id)
        ),

        touched as (
            select document_id from same_document
            union
            select documents.document_id
            from same_document
            inner join ingest.documents on same_document.document_id = documents.duplicate_of
            where documents.superseded_by is null
        )

        select {_KNOWN} from touched inner join ingest.documents using (document_id)
        """,
        [[document.source for document in read], [document.identity for document in read]],
        prepare=False,
    ).fetchall()


def _load_originals(connection: Connection, contents: Sequence[bytes]) -> list[DictRow]:
    return connection.execute(
        f"select {_KNOWN} from ingest.documents"
        " where content_sha256 = any(%s) and duplicate_of is null and superseded_by is null",
        [list(contents)],
        prepare=False,
    ).fetchall()


def write_documents(connection: Connection, result: Plan) -> None:
    """New documents, and the marks on those that they touch."""
    if result.superseded:
        connection.execute(
            """
            update ingest.documents set superseded_by = newer.document_id
            from unnest(%s::uuid[], %s::uuid[]) as newer (older_id, document_id)
            where documents.document_id = newer.older_id
            """,
            [list(result.superseded), list(result.superseded.values())],
            prepare=False,
        )
    if result.moved_copies:
        connection.execute(
            """
            update ingest.documents set duplicate_of = moved.original_id
            from unnest(%s::uuid[], %s::uuid[]) as moved (copy_id, original_id)
            where documents.document_id = moved.copy_id
            """,
            [list(result.moved_copies), list(result.moved_copies.values())],
            prepare=False,
        )
    rows = [
        (
            new.document_id,
            new.document.source,
            new.document.identity,
            new.document.version,
            new.document.title,
            new.document.text,
            new.document.publisher or new.document.source,
            new.document.url,
            new.document.language,
            new.document.published_at,
            new.document.original_published_at,
            new.document.content_sha256,
            json.dumps([hint.model_dump() for hint in new.document.supplier_hints]),
            new.duplicate_of,
            new.superseded_by,
        )
        for new in result.documents.values()
    ]
    _copy(connection, "ingest.documents", _DOCUMENT_COLUMNS, rows)


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
    _copy(connection, "ingest.messages", _MESSAGE_COLUMNS, rows)
    if result.redelivered:
        connection.execute(
            "update ingest.messages set delivery_count = delivery_count + 1"
            " where subscription = %s and message_id = any(%s)",
            [subscription, result.redelivered],
            prepare=False,
        )


def _copy(
    connection: Connection,
    table: LiteralString,
    columns: LiteralString,
    rows: Iterable[Sequence[Any]],
) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {table} ({columns}) from stdin") as copy,
    ):
        for row in rows:
            copy.write_row(row)


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
    """Ask for the mentions of each document that became current, and is no copy; of others that
    they withdraw what was mentioned."""
    connection.execute(
        """
        insert into risk.work_items (subject_type, subject_id, step)
        select 'document', document_id, 'mentions' from unnest(%s::uuid[]) as document_id
        on conflict (subject_type, subject_id, step, generation_id) do update
        set
            state = 'pending', outcome = null, detail = null, attempts = 0, available_at = now(),
            finished_at = null
        """,
        [result.to_read()],
    )
