"""Mentions: which suppliers does a document name, and in which country does it touch them?

The rule: the message's hint; else the countries named in the sentences that name the supplier;
else those of the paragraphs; else the supplier's home country. Never the cross product of a
document, and what is cut off is recorded.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from orchestration.ingestion import work_items
from orchestration.ingestion.suppliers import Supplier, current_suppliers
from orchestration.ingestion.work_items import Done, Failure, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring.evidence import document_text
from orchestration.scoring.matching import NameFinder, supplier_finder
from orchestration.scoring.passages import Passages

MAX_COUNTRIES = 3
MAX_MENTIONS = 10
CHUNK = 200


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
    passages = Passages(text, language)
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
            name = text[slice(*places[0])]
            starts = [start for start, _ in places]
            found[supplier_id] = _by_alias(passages, supplier_id, name, starts, index)
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
    passages: Passages,
    supplier_id: str,
    name: str,
    places: Sequence[int],
    index: SupplierIndex,
) -> list[Mention]:
    for source, passage_of in (("sentence", passages.sentence), ("paragraph", passages.paragraph)):
        around = dict.fromkeys(passage_of(place) for place in places)
        countries = dict.fromkeys(code for each in around for code in passages.countries(each))
        if countries:
            return [Mention(supplier_id, code, "alias", source, name) for code in countries]
    return [Mention(supplier_id, index.home[supplier_id], "alias", "home", name)]


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
    outcomes: Counter[str] = Counter()
    done: list[Done] = []
    mentions: list[tuple[UUID, Mention]] = []
    with connection.transaction():
        held = work_items.hold(connection, items)
        for item in (item for item in items if item.item_id in held):
            try:
                outcome, found = _read(documents[item.subject_id], step.index)
            except Exception as error:  # a fault on one document must not hold up the others
                outcomes += _failed(step, item, error)
                continue
            mentions += [(item.subject_id, mention) for mention in found.kept]
            done.append(Done(item, outcome, _detail(found)))
            outcomes[outcome] += 1
        _write(connection, mentions, step.generation_id)
        _renew_briefs(connection, [one.item.subject_id for one in done], step.generation_id)
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
