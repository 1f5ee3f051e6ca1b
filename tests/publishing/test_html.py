"""Text of strangers in the tables of Superset: shown as it is, and nothing else than text."""

from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from orchestration.local import postgres
from orchestration.publishing.links import supplier_link
from orchestration.resources.postgres import Connection, connect
from orchestration.settings import SupersetSettings
from tests.conftest import postgres_settings

# PostgreSQL holds no U+0000; HTML reads a carriage return as a line feed.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"))
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</span><script>alert(1)</script>",
    "&lt;b&gt; &amp;amp; \"quoted\" 'text'",
    "<a href='javascript:alert(1)'>click</a>",
]


@pytest.fixture(scope="module")
def database(cluster: postgres.Cluster) -> Iterator[Connection]:
    with connect(postgres_settings(cluster, "template_for_tests"), "test") as connection:
        yield connection


def shown(connection: Connection, call: str, *arguments: str | None) -> LexborNode:
    """The one element that a cell would hold."""
    row = connection.execute(f"select marts.{call} as html", arguments).fetchone()
    assert row is not None
    body = LexborHTMLParser(row["html"]).body
    assert body is not None
    [element] = body.iter(include_text=True)
    return element


def assert_is_text(element: LexborNode, text: str) -> None:
    assert element.text() == text
    assert [child.tag for child in element.iter(include_text=True)] == ["-text"] * bool(text)


@given(TEXTS)
def test_any_text_is_shown_as_it_is(database: Connection, text: str) -> None:
    element = shown(database, "as_html(%s)", text)
    assert (element.tag, element.attributes) == ("span", {})
    assert_is_text(element, text)


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_of_a_document_is_text(database: Connection, text: str) -> None:
    assert_is_text(shown(database, "as_html(%s)", text), text)
    link = shown(database, "as_link(%s, %s)", "https://example.com/a?b=1&c=2", text)
    assert link.attributes == {"href": "https://example.com/a?b=1&c=2", "target": "_blank"}
    assert_is_text(link.first_child or link, text)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        " https://example.com",
        "data:text/html,<script>alert(1)</script>",
        'https://example.com/"onmouseover="alert(1)',
        "https://example.com/<script>",
        "https://example.com/ two",
        "https://example.com/\nsecond",
    ],
)
def test_an_address_that_is_none_of_the_web_is_no_link(
    database: Connection, url: str | None
) -> None:
    element = shown(database, "as_link(%s, %s)", url, "It burns.")
    assert (element.tag, element.attributes) == ("span", {})
    assert_is_text(element, "It burns.")


@given(TEXTS.filter(str.strip))
def test_a_supplier_leads_to_its_dashboard_whatever_its_name(
    database: Connection, name: str
) -> None:
    """The filter is the one that a link of an alert sets."""
    element = shown(database, "as_supplier_link(%s)", name)
    assert element.tag == "a"
    assert list(element.attributes) == ["href"]
    assert_is_text(element.first_child or element, name)
    superset = SupersetSettings.model_validate({"url": "http://superset"})
    of_an_alert = unquote(supplier_link(superset, name, "Chile") or "")
    path, _, filters = unquote(element.attributes["href"] or "").partition("native_filters=")
    assert path == "/superset/dashboard/supplier/?"
    assert filters.removesuffix(")") in of_an_alert
