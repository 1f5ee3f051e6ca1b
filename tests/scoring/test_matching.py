"""Names in text: whole words, sensible case, the longest first; and countries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.ingestion.suppliers import Supplier
from orchestration.scoring.countries import countries_in, country_name
from orchestration.scoring.matching import NameFinder
from orchestration.scoring.supplier_names import SupplierNames


def found(names: list[str], text: str) -> list[str]:
    finder = NameFinder((name, name) for name in names)
    return [match.value for match in finder.find(text)]


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        (["Siemens"], "SIEMENS, siemens and Siemens's Siemensstadt", ["Siemens", "Siemens"]),
        (["3M", "ABB"], "3M and ABB; 3m, abb, Abb, 33M, ABBA", ["3M", "ABB"]),
        (["Apple"], "an apple a day, Apple and APPLE", ["Apple", "Apple"]),
        (
            ["Hitachi", "Hitachi Energy"],
            "Hitachi Energy left Hitachi",
            ["Hitachi Energy", "Hitachi"],
        ),
        (["Rolls-Royce"], "ex-Rolls-Royce Rolls-Royce's", ["Rolls-Royce", "Rolls-Royce"]),
        (["Schneider Electric"], "Schneider\nElectric", ["Schneider Electric"]),
        (["Acme Inc."], "Acme Inc. said; Acme Inc.", ["Acme Inc.", "Acme Inc."]),
        (["Bühler"], "BÜHLER", ["Bühler"]),
        ([], "anything", []),
    ],
)
def test_names_match_as_whole_words_in_a_fitting_case(
    names: list[str], text: str, expected: list[str]
) -> None:
    assert found(names, text) == expected


def test_offsets_stay_true_where_lower_case_is_longer() -> None:
    finder = NameFinder([("Siemens", 1)])
    (match,) = finder.find("İİİ Siemens")
    assert (match.start, match.end) == (4, 11)


def test_a_supplier_is_found_by_name_and_alias() -> None:
    acme = Supplier("acme", "Acme Corp", ("Acme Tools",), "US", None, None, None)
    values = [m.value for m in SupplierNames([acme]).find("Acme Tools of Acme Corp")]
    assert values == ["acme", "acme"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("plants in Germany, the U.S. and South Korea", ["DE", "US", "KR"]),
        ("from the People's Republic of China and the Russian Federation", ["CN", "RU"]),
        ("Türkiye, Turkey products, imports from Turkey", ["TR"]),
        ("Turkey products", []),
        ("New Mexico, New Jersey and the Gulf of Mexico", []),
        ("Georgia firm recalls", []),
        ("the Republic of Georgia", ["GE"]),
        ("the United States Court of International Trade", []),
        ("Papua New Guinea", ["PG"]),
        ("us and them", []),
        ("the United Kingdom, England", ["GB"]),
        ("Germany, Germany", ["DE"]),
    ],
)
def test_countries_are_found_by_name_each_once(text: str, codes: list[str]) -> None:
    assert countries_in(text) == codes


def test_every_country_is_found_by_its_own_name() -> None:
    for code in ("DE", "US", "CN", "KR", "VN", "CZ", "BO", "CI", "GB"):
        assert countries_in(f"It is in {country_name(code)}.") == [code]


@given(
    st.lists(st.text("abAB .", min_size=1, max_size=6), max_size=5), st.text("abAB .", max_size=40)
)
def test_matches_never_overlap_and_read_like_their_name(names: list[str], text: str) -> None:
    end = 0
    for match in NameFinder((name, name) for name in names).find(text):
        assert match.start >= end
        assert text[match.start : match.end].lower() == match.value.lower()
        end = match.end
