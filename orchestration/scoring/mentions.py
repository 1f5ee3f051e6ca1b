"""Mentions: which suppliers does a document name, and in which country does it touch them?

The rule: the message's hint; else the countries named in the sentences that name the supplier;
else those of the paragraphs; else the supplier's home country. Never the cross product of a
document, and what is cut off is recorded.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from uuid import UUID

import sentencex
from psycopg.rows import DictRow

from orchestration.ingestion import work_items
from orchestration.ingestion.suppliers import Supplier, current_suppliers
from orchestration.ingestion.work_items import Done, Failure, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring.evidence import document_text
from orchestration.scoring.matching import NameFinder, countries_in, supplier_finder

MAX_COUNTRIES = 3
MAX_MENTIONS = 10
CHUNK = 200
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True)
class Mention:
    """A supplier touched in a country. `matched_text` is the words that named it."""

    supplier_id: str
    country: str
    found_by: str
    country_source: str
    matched_text: str


@dataclass
class Mentions:
    """What one document mentions, what was cut by the limits, and hints that nobody knows."""

    kept: list[Mention] = field(default_factory=list)
    cut: list[Mention] = field(default_factory=list)
    unknown_hints: list[str] = field(default_factory=list)


class SupplierIndex:
    """The supplier master, ready to be looked for in many documents."""

    def __init__(self, suppliers: Sequence[Supplier]) -> None:
        self.finder: NameFinder[str] = supplier_finder(suppliers)
        self.home = {supplier.supplier_id: supplier.home_country for supplier in suppliers}
        self._by_name = {
            name.casefold(): supplier.supplier_id
            for supplier in suppliers
            for name in (supplier.supplier_id, supplier.name, *supplier.aliases)
        }

    def resolve(self, name: str) -> str | None:
        """The supplier with this id, name or alias."""
        return self._by_name.get(name.casefold())


def find_mentions(
    text: str, language: str | None, hints: Iterable[tuple[str, str | None]], index: SupplierIndex
) -> Mentions:
    """Apply the rule to one document. `hints` are (supplier id or name, country or None)."""
    result = Mentions()
    found: dict[str, list[Mention]] = {}
    named = _places_by_supplier(text, index)
    for name, country in hints:
        supplier_id = index.resolve(name)
        if supplier_id is None:
            result.unknown_hints.append(name)
        elif country is not None:
            hint = Mention(supplier_id, country, "hint", "hint", name)
            found.setdefault(supplier_id, []).append(hint)
        elif supplier_id not in named:
            home = Mention(supplier_id, index.home[supplier_id], "hint", "home", name)
            found.setdefault(supplier_id, []).append(home)
    for supplier_id, places in named.items():
        if supplier_id not in found:
            found[supplier_id] = _by_alias(text, language, supplier_id, places, index)
    for mentions in found.values():
        unique = list({mention.country: mention for mention in reversed(mentions)}.values())[::-1]
        result.kept += unique[:MAX_COUNTRIES]
        result.cut += unique[MAX_COUNTRIES:]
    result.cut += result.kept[MAX_MENTIONS:]
    del result.kept[MAX_MENTIONS:]
    return result


def _places_by_supplier(text: str, index: SupplierIndex) -> dict[str, list[tuple[int, int]]]:
    places: dict[str, list[tuple[int, int]]] = {}
    for match in index.finder.find(text):
        places.setdefault(match.value, []).append((match.start, match.end))
    return places


def _by_alias(
    text: str,
    language: str | None,
    supplier_id: str,
    places: Sequence[tuple[int, int]],
    index: SupplierIndex,
) -> list[Mention]:
    name = text[slice(*places[0])]
    paragraphs = [_paragraph(text, start, end) for start, end in places]
    sentences = [
        _sentence(text[slice(*paragraph)], place[0] - paragraph[0], language)
        for place, paragraph in zip(places, paragraphs, strict=True)
    ]
    for source, passages in (
        ("sentence", sentences),
        ("paragraph", [text[slice(*paragraph)] for paragraph in dict.fromkeys(paragraphs)]),
    ):
        countries = dict.fromkeys(code for passage in passages for code in countries_in(passage))
        if countries:
            return [Mention(supplier_id, code, "alias", source, name) for code in countries]
    return [Mention(supplier_id, index.home[supplier_id], "alias", "home", name)]


def _paragraph(text: str, start: int, end: int) -> tuple[int, int]:
    begin = max((m.end() for m in _PARAGRAPH_END.finditer(text, 0, start)), default=0)
    stop = _PARAGRAPH_END.search(text, end)
    return begin, stop.start() if stop else len(text)


def _sentence(paragraph: str, offset: int, language: str | None) -> str:
    for boundary in sentencex.get_sentence_boundaries(language or "en", paragraph):
        if boundary["start_index"] <= offset < boundary["end_index"]:
            return str(boundary["text"])
    return paragraph


def resolve_pending(connection: Connection, max_attempts: int, generation_id: int) -> Counter[str]:
    """Find the mentions of every landed document that waits for it, a chunk at a time.

    Queues the findings of each mention; returns the documents by outcome.
    """
    index = SupplierIndex(current_suppliers(connection))
    outcomes: Counter[str] = Counter()
    while items := work_items.claim(connection, "mentions", CHUNK, max_attempts):
        outcomes += _resolve(connection, items, index, generation_id, max_attempts)
    return outcomes


def _resolve(
    connection: Connection,
    items: Sequence[Item],
    index: SupplierIndex,
    generation_id: int,
    max_attempts: int,
) -> Counter[str]:
    documents = _load_documents(connection, items)
    outcomes: Counter[str] = Counter()
    done: list[Done] = []
    mentions: list[tuple[UUID, Mention]] = []
    with connection.transaction():
        held = work_items.hold(connection, items)
        for item in (item for item in items if item.item_id in held):
            try:
                outcome, found = _read(documents[item.subject_id], index)
            except Exception as error:  # a fault on one document must not hold up the others
                failure = Failure("internal_error", f"finding mentions: {error!r}", True)
                is_dead = work_items.fail(connection, item, failure, max_attempts)
                outcomes["dead" if is_dead else "later"] += 1
                continue
            mentions += [(item.subject_id, mention) for mention in found.kept]
            done.append(Done(item, outcome, _detail(found)))
            outcomes[outcome] += 1
        _write(connection, mentions, generation_id)
        work_items.finish(connection, done)
    return outcomes


def _load_documents(connection: Connection, items: Sequence[Item]) -> dict[UUID, DictRow]:
    rows = connection.execute(
        "select document_id, title, body, language, supplier_hints,"
        " superseded_by is not null or duplicate_of is not null as is_outdated"
        " from ingest.documents where document_id = any(%s)",
        [[item.subject_id for item in items]],
    )
    return {row["document_id"]: row for row in rows}


def _read(document: DictRow, index: SupplierIndex) -> tuple[str, Mentions]:
    if document["is_outdated"]:
        return "superseded", Mentions()
    hints = [(hint["supplier"], hint["country"]) for hint in document["supplier_hints"]]
    text = document_text(document["title"], document["body"])
    found = find_mentions(text, document["language"], hints, index)
    return ("mentioned" if found.kept else "no_supplier"), found


def _detail(found: Mentions) -> dict[str, object]:
    return {
        "mentions": len(found.kept),
        "cut": [asdict(mention) for mention in found.cut],
        "unknown_hints": found.unknown_hints,
    }


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


def observed_partition_keys(connection: Connection) -> list[str]:
    """The key of every pair that a document was found to mention, the oldest first."""
    rows = connection.execute(
        "select partition_key from risk.pairs order by first_seen_at, partition_key"
    )
    return [row["partition_key"] for row in rows]
