"""Landing a pulled batch, beside a bare insert of the same rows into one table."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.measuring import Figure, in_turns, spent_by
from benchmarks.parts import Parts
from benchmarks.sample import as_messages, distinct_documents
from orchestration.ingestion.landing import MAX_PULL_MESSAGES, land
from orchestration.ingestion.message import Document
from orchestration.resources.broker import Message
from orchestration.resources.postgres import connect
from orchestration.settings import PostgresSettings

_DOCUMENTS = 5_000
_ROUNDS = 5
_SUBSCRIPTION = "projects/bench/subscriptions/bench"
_MAX_BYTES = 1_000_000
_PEER_IS = "executemany of the documents into one table with a unique index"
_STATEMENT = re.compile(r"LOG:  (?:statement|execute)")
_BARE_TABLE = """
    create table bare (
        source text, external_id text, version integer, title text, body text, publisher text,
        url text, language text, published_at timestamptz, original_published_at timestamptz,
        content_sha256 bytea, supplier_hints jsonb, unique (source, external_id, version)
    )
"""


def run(parts: Parts) -> list[Figure]:
    """Messages per second, and statements per document as the server counts them."""
    documents = distinct_documents(_DOCUMENTS)
    messages, rows = as_messages(documents), [_row(document) for document in documents]

    def product(database: PostgresSettings) -> float:
        return _DOCUMENTS / _land(database, messages)

    def peer(database: PostgresSettings) -> float:
        return _DOCUMENTS / _insert(parts, database, rows)

    products, peers = in_turns(_ROUNDS, lambda: _fresh(parts, product), lambda: _fresh(parts, peer))
    counts = [_statements(parts, side) / _DOCUMENTS for side in (product, peer)]
    return [
        Figure("landing", "messages/s", products, peers, _PEER_IS),
        Figure("statements", "per document", counts[:1], counts[1:], _PEER_IS),
    ]


def _fresh(parts: Parts, side: Callable[[PostgresSettings], float]) -> float:
    with parts.database() as database:
        return side(database)


def _land(database: PostgresSettings, messages: Sequence[Message]) -> float:
    with connect(database, "benchmark") as connection:

        def work() -> None:
            for start in range(0, len(messages), MAX_PULL_MESSAGES):
                batch = messages[start : start + MAX_PULL_MESSAGES]
                land(connection, _SUBSCRIPTION, batch, _MAX_BYTES)

        return spent_by(work).wall


def _insert(parts: Parts, database: PostgresSettings, rows: Sequence[tuple[Any, ...]]) -> float:
    places = ", ".join(["%s"] * len(rows[0]))
    with parts.cluster.connect(database.database) as connection, connection.cursor() as cursor:
        connection.execute(_BARE_TABLE)

        def work() -> None:
            for start in range(0, len(rows), MAX_PULL_MESSAGES):
                with connection.transaction():
                    batch = rows[start : start + MAX_PULL_MESSAGES]
                    cursor.executemany(f"insert into bare values ({places})", batch)

        return spent_by(work).wall


def _statements(parts: Parts, side: Callable[[PostgresSettings], float]) -> int:
    """Run it once more, with the server logging each statement that it executes."""
    with parts.database() as database:
        with parts.cluster.connect("postgres") as connection:
            for setting in ("log_statement = 'all'", "log_parameter_max_length = 0"):
                connection.execute(f"alter database {database.database} set {setting}")
        begin = parts.postgres_log.stat().st_size
        side(database)
    with parts.postgres_log.open(encoding="utf-8", errors="replace") as log:
        log.seek(begin)
        return len(_STATEMENT.findall(log.read()))


def _row(document: Document) -> tuple[Any, ...]:
    return (
        document.source,
        document.identity,
        document.version,
        document.title,
        document.text,
        document.publisher or document.source,
        document.url,
        document.language,
        document.published_at,
        document.original_published_at,
        document.content_sha256,
        json.dumps([hint.model_dump() for hint in document.supplier_hints]),
    )
