"""One claimed document as the mentions step reads it: whom it names, and whether it is a near copy.

Read without a lock; what is decided on it is in mentions.py.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg.rows import DictRow

from orchestration.ingestion.work_items import Done, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring import near_copies
from orchestration.scoring.calls import Call
from orchestration.scoring.evidence import document_text
from orchestration.scoring.mention_rule import Mentions, SupplierIndex, find_mentions
from orchestration.scoring.near_copies import Text
from orchestration.scoring.relevance import Question
from orchestration.settings import LlmSettings


class Reading:
    """What one claimed document says, or why that could not be found out; read without a lock."""

    def __init__(self, item: Item, document: DictRow, index: SupplierIndex) -> None:
        self.item = item
        self.found = Mentions()
        self.content = document_text(document["title"], document["body"])
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
        self.found = find_mentions(self.content, document["language"], hints, index)
        # a correction is news even where it differs by a word
        if self.found.kept and document["version"] == 1:
            pairs = frozenset((each.supplier_id, each.country) for each in self.found.kept)
            self.text = Text(self.item.subject_id, self.content, document["dated_at"], pairs)

    def ends_unread(self, copies: Mapping[UUID, UUID]) -> Done | None:
        """The end of a document that needs no more: outdated, a copy, or without a supplier."""
        if self._is_outdated:
            return Done(self.item, "superseded")
        if original := copies.get(self.item.subject_id):
            return Done(self.item, "copy", {"nearly_the_same_as": str(original)})
        if not self.found.kept:
            return Done(self.item, "no_supplier", {"unknown_hints": self.found.unknown_hints})
        return None

    def question(self, index: SupplierIndex) -> Question:
        """What the LLM is asked about it."""
        return Question(self.content, self.found, index.suppliers)

    def call(self, index: SupplierIndex, llm: LlmSettings) -> Call:
        """The same, as a call."""
        return self.question(index).call(self.item.item_id, llm)


def mark_near_copies(connection: Connection, readings: Sequence[Reading]) -> dict[UUID, UUID]:
    """The copies among them and their originals, marked as such. Call it where landers wait."""
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
