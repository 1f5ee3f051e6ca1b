"""Feeds are hostile input: odd ones are read, and those that attack the parser are given up."""

import pytest

from orchestration.ingestion.feed_reading import Feed, NoFeed, read_feed
from orchestration.ingestion.feed_sources import FeedSource
from orchestration.ingestion.message import Document
from tests.ingestion.feed_server import item, rss

SOURCE = FeedSource(name="wire", url="https://news.example.com/feed.xml")
ATOM = """<?xml version="1.0" encoding="{encoding}"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>N</title>
<entry><id>tag:1</id><title type="html">&lt;b&gt;Brand&lt;/b&gt; bei Müller</title>
<link href="/1"/><updated>2026-02-04T08:00:00Z</updated><published>2026-02-03T08:00:00Z</published>
<summary>Kurz.</summary>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Ein <b>Brand</b>.</div></content>
</entry></feed>"""


def read(body: bytes, content_type: str = "application/xml", seconds: float = 30) -> Feed:
    return read_feed(SOURCE, body, content_type, seconds)


def documents(feed: Feed) -> list[Document]:
    return [r.content for r in feed.records if isinstance(r.content, Document)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_atom_is_read_in_the_encoding_that_it_names(encoding: str) -> None:
    (document,) = documents(read(ATOM.format(encoding=encoding).encode(encoding)))
    assert document.model_dump(mode="json", exclude_defaults=True) == {
        "external_id": "tag:1",
        "source": "wire",
        "version": 1_770_192_000,
        "title": "Brand bei Müller",
        "text": "Ein\nBrand\n.",
        "url": "https://news.example.com/1",
        "language": "de",
        "published_at": "2026-02-03T08:00:00Z",
    }


def test_the_content_type_of_a_careless_server_is_no_trouble() -> None:
    feed = read(rss(item("a", "Brand bei Müller.")), "text/plain")
    assert feed.trouble is None
    assert documents(feed)[0].text == "Brand bei Müller."


def test_an_entry_without_an_id_goes_by_its_link_and_without_both_by_its_content() -> None:
    link = "<link>https://a.example.com/x</link>"
    feed = read(
        rss(
            f"<item>{link}<description>Fire.</description></item>",
            "<item><description>Flood.</description></item>",
        )
    )
    by_link, by_content = documents(feed)
    assert by_link.external_id == "https://a.example.com/x"
    assert (by_content.external_id, by_content.version) == (None, 1)


def test_an_id_that_is_too_long_is_kept_as_its_hash() -> None:
    long, other = documents(read(rss(item("a" * 400, "Fire."), item("a" * 401, "Flood."))))
    assert str(long.external_id).startswith("id-sha256:")
    assert long.external_id != other.external_id


@pytest.mark.parametrize("date", ["Mon, 01 Jan 0001 00:00:00 GMT", "soon", ""])
def test_a_date_that_is_a_mistake_is_no_date(date: str) -> None:
    (document,) = documents(read(rss(item("a", "Fire.", date=date))))
    assert (document.published_at, document.version) == (None, 1)


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    link = "<guid isPermaLink='false'>a</guid><link>javascript:alert(1)</link>"
    (document,) = documents(read(rss(f"<item>{link}<description>Fire.</description></item>")))
    assert document.url is None


@pytest.mark.parametrize("body", [b"", b"/etc/passwd", b"file:///etc/passwd", b"\x00\xff", b"[]"])
def test_what_is_no_feed_is_said_and_never_taken_for_a_file(body: bytes) -> None:
    with pytest.raises(NoFeed, match="neither RSS nor Atom"):
        read(body)


def with_entities(entities: str, text: str) -> bytes:
    body = rss(f"<item><guid>a</guid><description>{text} fire</description></item>")
    return body.replace(b"<rss", f"<!DOCTYPE rss [\n{entities}\n]><rss".encode(), 1)


def test_no_file_is_read_for_an_entity() -> None:
    feed = read(with_entities('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;"))
    assert "root" not in documents(feed)[0].text


@pytest.mark.parametrize(
    "entities",
    [
        "\n".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)),
        f'<!ENTITY e11 "{"z" * 1_000_000}">',
    ],
)
def test_entities_that_multiply_do_not(entities: str) -> None:
    entities = '<!ENTITY e0 "zzzzzzzzzz">\n' + entities
    try:
        feed = read(with_entities(entities, "&e11;" * 10_000))
    except NoFeed as refused:
        assert "parsed" in str(refused)
    else:
        assert sum(len(document.text) for document in documents(feed)) < 10_000_000


def test_a_feed_that_keeps_the_parser_busy_is_given_up() -> None:
    with pytest.raises(NoFeed, match="could not be parsed within 3 s"):
        read(b"<?" + b"encoding='a'" * 300_000, seconds=3)
