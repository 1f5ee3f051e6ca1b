"""A program: the bytes of a feed on its input, the entries as JSON on its output.

A hostile feed can make a parser run for ever or fill the memory. This one is started for a single
feed, without secrets, bounds itself, and can be killed; it imports nothing of this project.
"""

import calendar
import io
import json
import resource
import sys
import time
from contextlib import suppress
from typing import Any

import feedparser
from feedparser.exceptions import CharacterEncodingOverride, NonXMLContentType
from selectolax.lexbor import LexborHTMLParser

_MAX_MEMORY_BYTES = 2**30
_MAX_OUTPUT_BYTES = 50_000_000
_HARMLESS = (CharacterEncodingOverride, NonXMLContentType)
_FIRST_IMPOSSIBLE_YEAR = 2200


def parse(body: bytes, url: str, content_type: str) -> dict[str, Any]:
    """What the feed is, what is wrong with its form, and its entries."""
    headers = {"content-location": url}
    if content_type:
        headers["content-type"] = content_type
    # A file object: bytes and strings could be taken for the name of a file.
    feed = feedparser.parse(
        io.BytesIO(body),
        response_headers=headers,
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    trouble = feed.get("bozo_exception")
    return {
        "kind": feed.get("version", ""),
        "trouble": "" if isinstance(trouble, _HARMLESS) else str(trouble or ""),
        "language": _trimmed(feed["feed"].get("language")),
        "entries": [_entry(entry) for entry in feed["entries"]],
    }


def _entry(entry: Any) -> dict[str, Any]:
    published = _seconds(entry.get("published_parsed"))
    updated = _seconds(entry["updated_parsed"]) if "updated_parsed" in entry else None
    return {
        "id": _trimmed(entry.get("id")) or _trimmed(entry.get("link")),
        "link": _trimmed(entry.get("link")),
        "title": " ".join(_text(entry.get("title_detail")).split()),
        "text": _longest_content(entry) or _text(entry.get("summary_detail")),
        "published": updated if published is None else published,
        "updated": published if updated is None else updated,
    }


def _trimmed(value: str | None) -> str | None:
    return (value or "").strip() or None


def _longest_content(entry: Any) -> str:
    return max(map(_text, entry.get("content", ())), key=len, default="")


def _text(detail: Any) -> str:
    """The text of a title, summary or content; nothing of a picture or a sound."""
    kind = detail.get("type", "text/html") if detail else ""
    value = (detail.get("value") or "") if detail else ""
    if kind == "text/plain":
        return str(value)
    if kind not in {"text/html", "application/xhtml+xml"}:
        return ""
    tree = LexborHTMLParser(value)
    tree.strip_tags(["script", "style", "noscript", "template", "head"])
    return tree.body.text(separator="\n", strip=True) if tree.body else ""


def _seconds(moment: time.struct_time | None) -> int | None:
    """Since 1970; None also for a year that is a mistake, such as 1 for "no date"."""
    if moment is None or not 1970 < moment.tm_year < _FIRST_IMPOSSIBLE_YEAR:
        return None
    return calendar.timegm(moment)


def _main() -> None:
    with suppress(ValueError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    about = json.loads(sys.stdin.buffer.readline())
    found = parse(sys.stdin.buffer.read(), about["url"], about["content_type"])
    output = json.dumps(found).encode()
    if len(output) > _MAX_OUTPUT_BYTES:
        sys.exit(f"it grows beyond {_MAX_OUTPUT_BYTES:,} bytes")
    sys.stdout.buffer.write(output)


if __name__ == "__main__":
    _main()
