"""Reads the bytes of a feed: every entry becomes a document or a refusal with its reason."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.ingestion.feed_sources import FeedSource
from orchestration.ingestion.message import (
    MAX_NAME,
    MAX_VERSION,
    Document,
    Rejected,
    validate_document,
)
from orchestration.ingestion.reading import Record
from orchestration.settings import bare_environment

_PARSER = Path(__file__).with_name("feed_parsing.py")
_DETAIL_CHARACTERS = 300


class NoFeed(Exception):
    """These bytes are no feed that can be read; the message says why."""


@dataclass(frozen=True)
class Feed:
    """The entries in their order; `trouble` says what is wrong with a feed that was read."""

    records: list[Record]
    trouble: str | None


def read_feed(source: FeedSource, body: bytes, content_type: str, seconds: float) -> Feed:
    """Read what can be read. Raises NoFeed, also when parsing takes too long or too much."""
    # The address as configured, not where redirects led: ids that are relative must stay the same.
    found = _parse(body, source.url, content_type, seconds)
    if not found["kind"] and not found["entries"]:
        raise NoFeed(f"is neither RSS nor Atom: {found['trouble'] or 'no feed stands in it'}")
    records: list[Record] = []
    seen: set[str] = set()
    for number, entry in enumerate(found["entries"], start=1):
        content = _document(source, entry, found["language"])
        if isinstance(content, Document):
            if content.identity in seen:
                content = Rejected("invalid_field", "an earlier entry of the feed has the same id")
            else:
                seen.add(content.identity)
        records.append(Record(f"{source.name}, entry {number}", content))
    return Feed(records, found["trouble"] or None)


def _parse(body: bytes, url: str, content_type: str, seconds: float) -> dict[str, Any]:
    about = json.dumps({"url": url, "content_type": content_type}).encode() + b"\n"
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_PARSER)],
            input=about + body,
            capture_output=True,
            timeout=seconds,
            env=bare_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoFeed(f"could not be parsed within {seconds:g} s") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise NoFeed(f"could not be parsed: {_in_short(last) or 'the parser was killed'}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"trouble": _in_short(found["trouble"])}


def _in_short(text: str) -> str:
    """A sentence that may quote a stranger, fit for a log and a table."""
    return "".join(c if c.isprintable() else " " for c in text[:_DETAIL_CHARACTERS])


def _document(
    source: FeedSource, entry: Mapping[str, Any], language: str | None
) -> Document | Rejected:
    """The version is when the entry was updated, in seconds: a later edit has a higher one,
    whatever this program remembers, and the same entry read again the same.
    """
    published, updated, link = entry["published"], entry["updated"], entry["link"] or ""
    is_web_address = link.lower().startswith(("http://", "https://"))
    fields = {
        "external_id": _external_id(entry["id"]),
        "source": source.name,
        "version": updated if updated and updated <= MAX_VERSION else 1,
        "title": entry["title"],
        "text": entry["text"],
        "publisher": source.publisher,
        "url": link if is_web_address else None,
        "language": source.language or language,
        "published_at": published and datetime.fromtimestamp(published, UTC).isoformat(),
    }
    try:
        return validate_document(fields)
    except Rejected as rejected:
        return rejected


def _external_id(entry_id: str | None) -> str | None:
    """The id that the feed gives; of one that is too long, its hash."""
    if entry_id is None or len(entry_id) <= MAX_NAME:
        return entry_id
    return f"id-sha256:{hashlib.sha256(entry_id.encode(errors='replace')).hexdigest()}"
