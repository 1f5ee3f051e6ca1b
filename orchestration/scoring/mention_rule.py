"""The rule of mentions: which suppliers does a text name, and in which country does it touch them?

The message's hint; else the countries named in the sentences that name the supplier; else those of
the cities there; else those of the paragraphs; else the supplier's home country. Never the cross
product of a document, and what is cut off is said. Pure: no SQL.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestration.ingestion.suppliers import Supplier
from orchestration.scoring.passages import Passages
from orchestration.scoring.supplier_names import SupplierNames
from orchestration.scoring.taxonomy import Urgency

MAX_COUNTRIES = 3
MAX_MENTIONS = 10


@dataclass(frozen=True)
class Mention:
    """A supplier touched in a country. `matched_text` is the words that named it; relevance (0-1)
    and urgency are the LLM's, where it was asked."""

    supplier_id: str
    country: str
    found_by: str
    country_source: str
    matched_text: str
    relevance: float | None = None
    urgency: Urgency | None = None
    response_id: int | None = None


@dataclass
class Mentions:
    """What one document mentions, what was cut by the limits, and hints that nobody knows."""

    kept: list[Mention] = field(default_factory=list)
    cut: list[Mention] = field(default_factory=list)
    unknown_hints: list[str] = field(default_factory=list)

    @property
    def is_certain(self) -> bool:
        """Whether publishers named all of it: there is nothing to ask."""
        return all(mention.found_by == "hint" for mention in self.kept)

    def limited(self) -> "Mentions":
        """Itself, with what is over the limit of a document among what was cut."""
        self.cut += self.kept[MAX_MENTIONS:]
        del self.kept[MAX_MENTIONS:]
        return self


class SupplierIndex:
    """The supplier master, ready to be looked for in many documents."""

    def __init__(self, suppliers: Sequence[Supplier]) -> None:
        self.suppliers = {supplier.supplier_id: supplier for supplier in suppliers}
        self.names = SupplierNames(suppliers)
        self.home = {supplier.supplier_id: supplier.home_country for supplier in suppliers}


def find_mentions(
    text: str, language: str | None, hints: Iterable[tuple[str, str | None]], index: SupplierIndex
) -> Mentions:
    """Apply the rule to one document. `hints` are (supplier id or name, country or None)."""
    result = Mentions()
    found: dict[str, list[Mention]] = {}
    named = _places_by_supplier(text, index)
    passages = Passages(text, language)
    for name, country in hints:
        supplier_id = index.names.resolve(name)
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
    return result.limited()


def _places_by_supplier(text: str, index: SupplierIndex) -> dict[str, list[tuple[int, int]]]:
    places: dict[str, list[tuple[int, int]]] = {}
    for match in index.names.find(text):
        places.setdefault(match.value, []).append((match.start, match.end))
    return places


def _by_alias(
    passages: Passages,
    supplier_id: str,
    name: str,
    places: Sequence[int],
    index: SupplierIndex,
) -> list[Mention]:
    sentences = dict.fromkeys(passages.sentence(place) for place in places)
    paragraphs = dict.fromkeys(passages.paragraph(place) for place in places)
    for source, around, countries_of in (
        ("sentence", sentences, passages.countries),
        ("city", sentences, passages.countries_of_cities),
        ("paragraph", paragraphs, passages.countries),
    ):
        countries = dict.fromkeys(code for each in around for code in countries_of(each))
        if countries:
            return [Mention(supplier_id, code, "alias", source, name) for code in countries]
    return [Mention(supplier_id, index.home[supplier_id], "alias", "home", name)]
