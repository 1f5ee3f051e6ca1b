"""The rule of mentions: which suppliers does a text name, and in which country does it touch them?

The message's hint; else the countries named in the sentences that name the supplier; else those of
the paragraphs; else the supplier's home country. Never the cross product of a document, and what is
cut off is said. Pure: no SQL.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestration.ingestion.suppliers import Supplier
from orchestration.scoring.matching import NameFinder, supplier_finder
from orchestration.scoring.passages import Passages

MAX_COUNTRIES = 3
MAX_MENTIONS = 10


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
