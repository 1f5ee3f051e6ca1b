"""The message contract: what is a document, and in which words everything else is refused."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.ingestion.message import (
    Document,
    Rejected,
    check_attributes,
    find_country,
    parse_document,
    validate_document,
)

LIMIT = 1_000_000


def refusal(data: bytes, limit: int = LIMIT) -> Rejected:
    with pytest.raises(Rejected) as caught:
        parse_document(data, limit)
    return caught.value


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"not json", "not_json", "not JSON"),
        (b"", "not_json", "not JSON"),
        (b"[" * 100_000, "not_json", "recursion"),
        (b"[]", "not_an_object", "a list"),
        (b'"text"', "not_an_object", "a str"),
        (b"null", "not_an_object", "a NoneType"),
        (b"\xff\xfe", "not_utf8", "byte 0"),
        (b"{}", "invalid_field", "Field required"),
        (b'{"text": null}', "invalid_field", "Field required"),
        (b'{"text": ""}', "invalid_field", "text is empty"),
        (b'{"text": " \\n\\t "}', "invalid_field", "text is empty"),
        (b'{"text": 5}', "invalid_field", "text: Input should be a valid string"),
        (b'{"text": ["x"]}', "invalid_field", "valid string"),
        (b'{"text": "x", "title": {"a": 1}}', "invalid_field", "title"),
        (b'{"text": "x", "version": "2"}', "invalid_field", "version"),
        (b'{"text": "x", "version": true}', "invalid_field", "version"),
        (b'{"text": "x", "version": 0}', "invalid_field", "greater than or equal to 1"),
        (b'{"text": "x", "published_at": 5}', "invalid_field", "ISO 8601"),
        (b'{"text": "x", "published_at": "yesterday"}', "invalid_field", "'yesterday'"),
        (b'{"text": "x", "published_at": "0001-01-01T00:00:00+14:00"}', "invalid_field", "1900"),
        (b'{"text": "a\\u0000b"}', "invalid_text", "U+0000"),
        (b'{"text": "x", "title": "\\u0000"}', "invalid_text", "title"),
        (b'{"text": "a\\ud800b"}', "invalid_text", "surrogate"),
        (b'{"text": "x", "external_id": ""}', "invalid_field", "at least 1 character"),
        (
            b'{"text": "x", "supplier_hints": [{"supplier": "siemens", "country": "XX"}]}',
            "invalid_field",
            "'XX' is no ISO 3166-1 alpha-2 country code",
        ),
        (b'{"text": "x", "supplier_hints": {"a": 1}}', "invalid_field", "supplier_hints"),
    ],
)
def test_bytes_that_are_no_document_are_refused_with_class_and_sentence(
    data: bytes, reason: str, words: str
) -> None:
    rejected = refusal(data)
    assert rejected.reason == reason
    assert words in rejected.detail


def test_a_document_over_the_size_limit_is_refused_before_it_is_decoded() -> None:
    rejected = refusal(b"{" * 101, limit=100)
    assert rejected.reason == "too_large"
    assert "101 bytes; the limit is 100" in rejected.detail


def test_only_text_is_required_and_unknown_fields_are_ignored() -> None:
    document = parse_document(b'{"text": "News.", "labels": {"gold": 1}}', LIMIT)
    assert document == Document(text="News.")
    assert document.identity == f"sha256:{document.content_sha256.hex()}"


@pytest.mark.parametrize("written", ["de", "De", " DE ", "DE"])
def test_the_country_of_a_hint_is_kept_in_capitals(written: str) -> None:
    hints = [{"supplier": "siemens", "country": written}]
    document = validate_document({"text": "x", "supplier_hints": hints})
    assert document.supplier_hints[0].country == "DE"


@given(st.text(max_size=3))
def test_a_country_that_is_accepted_is_two_ascii_capitals(written: str) -> None:
    for text in (written, "\N{KELVIN SIGN}E"):
        assert re.fullmatch("[A-Z]{2}", find_country(text) or "XX")


def test_a_date_without_zone_is_utc_and_one_in_the_future_is_accepted() -> None:
    document = parse_document(b'{"text": "x", "published_at": "2199-01-02"}', LIMIT)
    assert document.published_at is not None
    assert document.published_at.isoformat() == "2199-01-02T00:00:00+00:00"


def test_the_content_hash_is_blind_to_case_space_unicode_form_dates_and_ids() -> None:
    one = Document(text="Café  fire\n", title="A", external_id="1", source="x")
    two = Document(text=" CAFE\u0301 fire", title="a ", external_id="2", source="y", version=3)
    assert one.content_sha256 == two.content_sha256
    assert one.content_sha256 != Document(text="Cafe fire", title="A").content_sha256
    assert Document(text="b", title="a").content_sha256 != Document(text="a b").content_sha256


@pytest.mark.parametrize(
    ("attributes", "ordering_key"),
    [({"batch_id": "x" * 201}, ""), ({"batch_id": "a\x00"}, ""), ({}, "key\x00")],
)
def test_attributes_that_cannot_be_stored_are_refused(
    attributes: dict[str, str], ordering_key: str
) -> None:
    with pytest.raises(Rejected) as caught:
        check_attributes(attributes, ordering_key)
    assert caught.value.reason == "invalid_attribute"


@given(st.binary(max_size=200))
def test_any_bytes_become_a_document_or_a_refusal(data: bytes) -> None:
    try:
        assert parse_document(data, LIMIT).text.strip()
    except Rejected as rejected:
        assert rejected.reason
        assert rejected.detail


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=4,
)
_fields = st.sampled_from(sorted(Document.model_fields))


@given(st.dictionaries(_fields, _json, max_size=4))
def test_any_json_object_becomes_a_storable_document_or_a_refusal(
    content: dict[str, object],
) -> None:
    try:
        document = validate_document(content)
    except Rejected:
        return
    assert "\x00" not in document.model_dump_json()
    assert parse_document(document.to_json(), 10 * LIMIT) == document


@given(st.text(min_size=1), st.text())
def test_what_is_published_is_what_arrives(text: str, title: str) -> None:
    try:
        document = validate_document({"text": text, "title": title})
    except Rejected:
        return
    arrived = parse_document(document.to_json(), LIMIT)
    assert arrived == document
    assert arrived.content_sha256 == document.content_sha256
    assert json.loads(document.to_json())["text"] == text
