"""Finds names in text: suppliers by name and alias, countries by name. Pure; no database.

One automaton holds all names, so the time depends on the text and not on the number of names.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

import ahocorasick
import pycountry
from babel import Locale

from orchestration.ingestion.suppliers import Supplier

Value = TypeVar("Value")
SHORT_NAME = 4

_COUNTRY_ALTERNATES = {
    "U.S.": "US",
    "USA": "US",
    "U.S.A.": "US",
    "UK": "GB",
    "U.K.": "GB",
    "Great Britain": "GB",
    "Northern Ireland": "GB",
    "England": "GB",
    "Scotland": "GB",
    "Wales": "GB",
    "Korea": "KR",
    "Macau": "MO",
    "Hong Kong": "HK",
    "Turkey": "TR",
    "Ivory Coast": "CI",
    "Burma": "MM",
    "Holland": "NL",
    "Palestine": "PS",
    "Republic of Georgia": "GE",
    "Democratic Republic of the Congo": "CD",
}
# Names that hold a country's name and do not say where something happened: they match first.
_NOT_COUNTRIES = (
    "Georgia",
    "New Mexico",
    "New Jersey",
    "New England",
    "Gulf of Mexico",
    "South China Sea",
    *(
        f"{country} {institution}"
        for country in ("U.S.", "United States")
        for institution in ("Court", "Customs", "Department", "Food", "Geological", "International")
    ),
)
# Also a first name, a bird or a state: a country only after a preposition of place.
_AMBIGUOUS = {"Jordan", "Turkey", "Chad", "Jersey"}
_PLACE_BEFORE = re.compile(r"\b(?:in|from|to|of|within|across) $", re.IGNORECASE)
_PLACE_BEFORE_LENGTH = len("_within ")


@dataclass(frozen=True)
class Match(Generic[Value]):
    """A name found at text[start:end]."""

    start: int
    end: int
    value: Value


class NameFinder(Generic[Value]):
    """Whole words only; of overlapping names the longest counts.

    Names of up to four characters match in their exact case. Longer ones match in any case, but a
    name that begins with a capital needs one in the text (Apple is not apple).
    """

    def __init__(self, names: Iterable[tuple[str, Value]]) -> None:
        self._automaton = ahocorasick.Automaton()
        for name, value in names:
            self._automaton.add_word(_folded(name), (name, value))
        self._automaton.make_automaton()

    def find(self, text: str) -> list[Match[Value]]:
        """Matches in the order of the text, none overlapping another."""
        if len(self._automaton) == 0:
            return []
        candidates = []
        for last, (name, value) in self._automaton.iter(_folded(text)):
            start, end = last - len(name) + 1, last + 1
            if _is_whole_word(text, start, end) and _case_fits(name, text[start:end]):
                candidates.append(Match(start, end, value))
        return _longest(candidates)


def _longest(candidates: Sequence[Match[Value]]) -> list[Match[Value]]:
    chosen: list[Match[Value]] = []
    covered: set[int] = set()
    for match in sorted(candidates, key=lambda match: (match.start - match.end, match.start)):
        if match.start not in covered and match.end - 1 not in covered:
            chosen.append(match)
            covered.update(range(match.start, match.end))
    return sorted(chosen, key=lambda match: match.start)


def supplier_finder(suppliers: Sequence[Supplier]) -> NameFinder[str]:
    """Finds supplier ids by name and alias."""
    return NameFinder(
        (name, supplier.supplier_id)
        for supplier in suppliers
        for name in {supplier.name, *supplier.aliases}
    )


def countries_in(text: str) -> list[str]:
    """ISO 3166-1 alpha-2 codes of the countries named in the text, in order, each once."""
    codes = []
    for match in _country_finder().find(text):
        name = text[match.start : match.end]
        before = text[max(0, match.start - _PLACE_BEFORE_LENGTH) : match.start]
        is_place = name not in _AMBIGUOUS or _PLACE_BEFORE.search(before)
        if match.value is not None and is_place:
            codes.append(match.value)
    return list(dict.fromkeys(codes))


def country_name(code: str) -> str:
    """The usual English name of a country code."""
    return str(Locale("en").territories.get(code, code))


@cache
def _country_finder() -> NameFinder[str | None]:
    english = Locale("en").territories
    names: dict[str, str | None] = {}
    for country in pycountry.countries:
        for attribute in ("name", "common_name", "official_name"):
            if name := getattr(country, attribute, None):
                names[name] = country.alpha_2
        names[english.get(country.alpha_2, country.name)] = country.alpha_2
    names |= _COUNTRY_ALTERNATES
    names |= dict.fromkeys(_NOT_COUNTRIES)
    return NameFinder(names.items())


def _folded(text: str) -> str:
    """Lower case with white space as blanks, character by character: offsets stay true."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return re.sub(r"\s", " ", lowered)


def _is_whole_word(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not _is_word(before) and not (_is_word(after) and _is_word(text[end - 1]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _case_fits(name: str, found: str) -> bool:
    if len(name) <= SHORT_NAME:
        return name == found
    return not name[0].isupper() or found[0].isupper()
