"""Company names: legal forms come and go, scripts without blanks, names inside of names."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.ingestion.suppliers import Supplier
from orchestration.scoring.company_names import base_name, comparable_name, end_of_legal_form
from orchestration.scoring.countries import countries_of_cities_in
from orchestration.scoring.mention_rule import SupplierIndex, find_mentions
from orchestration.scoring.supplier_names import SupplierNames


def named(*names: str, supplier_id: str = "s") -> Supplier:
    return Supplier(supplier_id, names[0], names[1:], "DE", None, None, None)


def found(suppliers: list[Supplier], text: str) -> list[str]:
    return [text[m.start : m.end] for m in SupplierNames(suppliers).find(text)]


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("Siemens AG", "Siemens"),
        ("Siemens Aktiengesellschaft", "Siemens"),
        ("Acme, Inc.", "Acme"),
        ("Hangzhou Hikvision Co., Ltd.", "Hangzhou Hikvision"),
        ("Hoffmann GmbH & Co. KG", "Hoffmann"),
        ("Negocio San Enrique, S.A. de C.V.", "Negocio San Enrique"),
        ("Rolls-Royce Holdings plc", "Rolls-Royce Holdings"),
        ("华为技术有限公司", "华为技术"),
        ("株式会社日立製作所", "日立製作所"),
        ("Acme UK", "Acme UK"),
        ("Company", "Company"),
        ("SE", "SE"),
    ],
)
def test_a_legal_form_is_no_part_of_the_name(name: str, base: str) -> None:
    assert base_name(name) == base


@pytest.mark.parametrize(
    ("supplier", "text", "words"),
    [
        (named("Siemens"), "Siemens AG and Siemens Aktiengesellschaft.", 2),
        (named("Siemens AG"), "Siemens, Siemens Aktiengesellschaft", 2),
        (named("Acme Corp"), "Acme Corporation, Acme Corp. and Acme, Inc.", 3),
        (named("Acme Corporation"), "Acme Corp", 1),
        (named("AB Inc."), "AB and AB testing", 0),
        (named("AB Inc."), "AB Inc. and AB Corporation", 2),
        (named("Lima Corp"), "floods in Lima", 0),
        (named("Lima Corp"), "Lima Corporation burns", 1),
        (named("3M", "3M Company"), "3M Co. sold 3m units to 33M", 1),
        (named("Shell plc"), "seashell, Shellfish and Shell", 1),
        (named("Ford"), "Stanford, Ford's Fordham", 1),
    ],
)
def test_a_supplier_is_found_whatever_its_legal_form(
    supplier: Supplier, text: str, words: int
) -> None:
    assert len(found([supplier], text)) == words


def test_the_legal_form_belongs_to_what_was_found() -> None:
    text = "Acme Corporation, Acme said. Acme As Such"
    assert found([named("Acme Corp")], text) == ["Acme Corporation", "Acme", "Acme"]


def test_a_name_that_two_suppliers_would_share_counts_only_as_the_master_writes_it() -> None:
    twins = [named("Acme GmbH", supplier_id="one"), named("Acme Inc.", supplier_id="two")]
    matches = SupplierNames(twins).find("Acme GmbH, Acme Inc. and Acme")
    assert [match.value for match in matches] == ["one", "two"]
    assert SupplierNames(twins).resolve("Acme Ltd") is None


def test_of_a_name_in_a_name_the_longer_counts() -> None:
    suppliers = [named("Delta", supplier_id="d"), named("Delta Electronics Inc.", supplier_id="e")]
    matches = SupplierNames(suppliers).find("Delta Electronics, Delta Air Lines")
    assert [match.value for match in matches] == ["e", "d"]


@pytest.mark.parametrize(
    ("alias", "text", "is_found"),
    [
        ("西门子", "德国西门子公司宣布召回五百个阀门。", True),
        ("Siemens", "德国Siemens公司", True),
        ("日立", "昨日立法", True),
        ("トヨタ", "昨日トヨタは工場を停止した", True),
        ("삼성전자", "삼성전자는 공장을 멈췄다", True),
        ("삼성", "삼성전자는 공장을 멈췄다", False),
        ("سيمنز", "أعلنت شركة سيمنز عن استدعاء", True),
        ("سيمنز", "وسيمنز تستدعي", True),
        ("سيمنز", "لسيمنز", True),
        ("سيمنز", "مسيمنزات", False),
        ("טבע", "בטבע הודיעו", True),
        ("ЛУКОЙЛ", "компания «ЛУКОЙЛ» и ЛУКОЙЛовский", True),
    ],
)
def test_words_end_where_their_script_lets_them_end(alias: str, text: str, is_found: bool) -> None:
    assert found([named("Example AG", alias)], text) == [alias] * is_found


def test_a_document_in_chinese_names_its_supplier_by_alias() -> None:
    index = SupplierIndex([named("Siemens AG", "西门子")])
    kept = find_mentions("西门子股份公司停产。\n\n工人罢工。", "zh", [], index).kept
    assert [(m.supplier_id, m.country, m.country_source) for m in kept] == [("s", "DE", "home")]
    assert kept[0].matched_text == "西门子股份公司"


def test_hints_are_resolved_whatever_their_legal_form() -> None:
    names = SupplierNames([named("Siemens AG", "西门子")])
    assert [names.resolve(name) for name in ("SIEMENS", "Siemens Aktiengesellschaft")] == ["s"] * 2
    assert names.resolve("Siemens Energy AG") is None


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("a plant in Wuhan, one near Munich and one in Wuhan", ["CN", "DE"]),
        ("Wuhan's plant", []),
        ("in Birmingham, in San Jose, in Hamilton", []),
        ("in Nice, in Reading, in Mobile, in Orange", []),
        ("in Mexico City", ["MX"]),
        ("in wuhan", []),
        ("in Boston Scientific, at Hangzhou Hikvision", []),
    ],
)
def test_a_city_says_its_country_where_only_one_has_it(text: str, codes: list[str]) -> None:
    assert countries_of_cities_in(text) == codes


def test_a_city_in_the_sentence_counts_where_the_sentence_names_no_country() -> None:
    index = SupplierIndex([named("Acme")])
    text = "Acme halts its plant in Wuhan. Peru waits.\n\nAcme sells."
    kept = find_mentions(text, None, [], index).kept
    assert [(m.country, m.country_source) for m in kept] == [("CN", "city")]
    kept = find_mentions("Acme halts its plant in Wuhan for Peru.", None, [], index).kept
    assert [(m.country, m.country_source) for m in kept] == [("PE", "sentence")]


_FORMS = st.sampled_from([" AG", " Inc.", ", Inc.", " Corp", " Corporation", " GmbH & Co. KG"])
_NAMES = st.from_regex(r"[A-Z][a-z]{5,9}( [A-Z][a-z]{5,9})?", fullmatch=True).filter(
    lambda name: base_name(name) == name
)


@given(st.text(max_size=40))
def test_what_is_compared_of_a_name_does_not_change_when_compared_again(name: str) -> None:
    once = comparable_name(name)
    assert comparable_name(once) == once
    assert once == once.strip()


@given(st.text(max_size=40))
@example(":\rBL")
def test_a_base_is_the_beginning_of_its_name_and_its_own_base(name: str) -> None:
    base = base_name(name)
    assert base_name(base) == base
    has_letters = any(character.isalnum() for character in name)
    assert any(character.isalnum() for character in base) == has_letters


@given(_NAMES, _FORMS, _FORMS)
def test_names_that_differ_in_form_and_case_are_one(name: str, one: str, other: str) -> None:
    assert comparable_name(name + one) == comparable_name(name.upper() + other)
    assert comparable_name(name + one) == comparable_name(name)
    assert found([named(name + one)], f"The {name}{other} burns.") == [name + other]


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_legal_form_ends_within_the_text(before: str, after: str) -> None:
    end = end_of_legal_form(before + after, len(before))
    assert len(before) <= end <= len(before + after)
