"""Mentions: each landed document is read once for the suppliers that it names (mention_rule.py),
and each mention is queued for the LLM. A near copy of an earlier document is marked instead.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from orchestration.ingestion import landing, work_items
from orchestration.ingestion.suppliers import current_suppliers
from orchestration.ingestion.work_items import Done, Failure, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring import near_copies
from orchestration.scoring.evidence import document_text
from orchestration.scoring.mention_rule import Mention, Mentions, SupplierIndex, find_mentions
from orchestration.scoring.near_copies import Text

CHUNK = 200


@dataclass(frozen=True)
class _Step:
    """What every chunk of one run's mentions needs."""

    connection: Connection
    index: SupplierIndex
    generation_id: int
    max_attempts: int


def resolve_pending(connection: Connection, max_attempts: int, generation_id: int) -> Counter[str]:
    """Find the mentions of every landed document that waits for it, a chunk at a time.

    Queues the findings of each mention; returns the documents by outcome.
    """
    index = SupplierIndex(current_suppliers(connection))
    step = _Step(connection, index, generation_id, max_attempts)
    outcomes: Counter[str] = Counter()
    while items := work_items.claim(connection, "mentions", CHUNK, max_attempts):
        with work_items.given_back(connection, items, max_attempts):
            outcomes += _resolve_chunk(step, items)
    return outcomes


def _resolve_chunk(step: _Step, items: Sequence[Item]) -> Counter[str]:
    """All in one transaction; where that fails, one by one, so that only who is at fault fails."""
    try:
        return _resolve(step, items)
    except psycopg.OperationalError:
        raise
    except Exception as error:
        if len(items) == 1:
            return _failed(step, items[0], error)
    work_items.renew(step.connection, items)
    outcomes: Counter[str] = Counter()
    for item in items:
        outcomes += _resolve_chunk(step, [item])
    return outcomes


def _failed(step: _Step, item: Item, error: Exception) -> Counter[str]:
    failure = Failure("internal_error", f"finding mentions: {error!r}", is_transient=True)
    is_dead = work_items.fail(step.connection, item, failure, step.max_attempts)
    return Counter(["dead" if is_dead else "later"])


def _resolve(step: _Step, items: Sequence[Item]) -> Counter[str]:
    connection = step.connection
    documents = _load_documents(connection, items)
    readings = [_Reading(item, documents[item.subject_id], step.index) for item in items]
    done: list[Done] = []
    mentions: list[tuple[UUID, Mention]] = []
    outcomes: Counter[str] = Counter()
    with connection.transaction():
        landing.take_turn(connection)
        held = work_items.hold(connection, items)
        mine = [reading for reading in readings if reading.item.item_id in held]
        copies = _mark_near_copies(connection, mine)
        for reading in mine:
            if reading.error is not None:
                outcomes += _failed(step, reading.item, reading.error)
                continue
            one = reading.done(copies)
            if one.outcome == "mentioned":
                mentions += [(one.item.subject_id, mention) for mention in reading.found.kept]
            done.append(one)
            outcomes[one.outcome] += 1
        _write(connection, mentions, step.generation_id)
        _renew_briefs(connection, [one.item.subject_id for one in done], step.generation_id)
        work_items.finish(connection, done)
    return outcomes


def _load_documents(connection: Connection, items: Sequence[Item]) -> dict[UUID, DictRow]:
    rows = connection.execute(
        "select document_id, version, title, body, language, supplier_hints,"
        " coalesce(original_published_at, published_at) as dated_at,"
        " superseded_by is not null or duplicate_of is not null as is_outdated"
        " from ingest.documents where document_id = any(%s)",
        [[item.subject_id for item in items]],
    )
    return {row["document_id"]: row for row in rows}


class _Reading:
    """What one claimed document says, or why that could not be found out; read without a lock."""

    def __init__(self, item: Item, document: DictRow, index: SupplierIndex) -> None:
        self.item = item
        self.found = Mentions()
        self.text: Text | None = None
        self.error: Exception | None = None
        self._is_outdated: bool = document["is_outdated"]
        if self._is_outdated:
            return
        try:
            self._read(document, index)
        except Exception as error:  # a fault on one document must not hold up the others
            self.error = error

    def _read(self, document: DictRow, index: SupplierIndex) -> None:
        hints = [(hint["supplier"], hint["country"]) for hint in document["supplier_hints"]]
        content = document_text(document["title"], document["body"])
        self.found = find_mentions(content, document["language"], hints, index)
        # a correction is news even where it differs by a word
        if self.found.kept and document["version"] == 1:
            pairs = frozenset((each.supplier_id, each.country) for each in self.found.kept)
            self.text = Text(self.item.subject_id, content, document["dated_at"], pairs)

    def done(self, copies: Mapping[UUID, UUID]) -> Done:
        """The outcome, and what is kept of it beside the mentions."""
        if self._is_outdated:
            return Done(self.item, "superseded")
        if original := copies.get(self.item.subject_id):
            return Done(self.item, "copy", {"nearly_the_same_as": str(original)})
        outcome = "mentioned" if self.found.kept else "no_supplier"
        detail = {
            "mentions": len(self.found.kept),
            "cut": [asdict(mention) for mention in self.found.cut],
            "unknown_hints": self.found.unknown_hints,
        }
        return Done(self.item, outcome, detail)


def _mark_near_copies(connection: Connection, readings: Sequence[_Reading]) -> dict[UUID, UUID]:
    texts = {reading.text.document_id: reading.text for reading in readings if reading.text}
    rows = connection.execute(
        "select document_id from ingest.documents"
        " where document_id = any(%s) and duplicate_of is null and superseded_by is null"
        " order by (select min(sequence) from ingest.messages"
        " where messages.document_id = documents.document_id)",
        [list(texts)],
    )
    current = [texts[row["document_id"]] for row in rows]
    copies = near_copies.find(connection, current)
    near_copies.mark(connection, current, copies)
    return copies


def _write(
    connection: Connection, mentions: Sequence[tuple[UUID, Mention]], generation_id: int
) -> None:
    pairs = sorted({(mention.supplier_id, mention.country) for _, mention in mentions})
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into risk.pairs (supplier_id, country) values (%s, %s)"
            " on conflict (supplier_id, country) do nothing",
            pairs,
        )
        cursor.executemany(
            """
            insert into risk.mentions (
                document_id, supplier_id, country, found_by, country_source, matched_text
            ) values (%s, %s, %s, %s, %s, %s)
            on conflict (document_id, supplier_id, country) do nothing
            """,
            [(document_id, *asdict(mention).values()) for document_id, mention in mentions],
        )
    ids = connection.execute(
        "select mention_id from risk.mentions where document_id = any(%s)",
        [list({document_id for document_id, _ in mentions})],
    )
    work_items.enqueue(
        connection, "mention", [row["mention_id"] for row in ids], "findings", generation_id
    )


def _renew_briefs(connection: Connection, document_ids: Sequence[UUID], generation_id: int) -> None:
    """The briefs of what older versions of these documents mentioned cite what is withdrawn."""
    rows = connection.execute(
        """
        select distinct pairs.pair_id
        from ingest.documents as newer
        inner join ingest.documents as older using (source, external_id)
        inner join risk.mentions on mentions.document_id = older.document_id
        inner join risk.pairs using (supplier_id, country)
        where newer.document_id = any(%s) and newer.version > older.version
        """,
        [list(document_ids)],
    )
    pair_ids = [row["pair_id"] for row in rows]
    work_items.enqueue(connection, "pair", pair_ids, "briefs", generation_id)
    work_items.reopen(connection, pair_ids, "briefs", generation_id, ("done", "dead", "claimed"))


def observed_partition_keys(connection: Connection) -> list[str]:
    """The key of every pair that a document was found to mention, the oldest first."""
    rows = connection.execute(
        "select partition_key from risk.pairs order by first_seen_at, partition_key"
    )
    return [row["partition_key"] for row in rows]
