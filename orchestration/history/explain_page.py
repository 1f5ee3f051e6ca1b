"""An explanation as one page that needs nothing else: no script, no other host.

All that strangers wrote is escaped; of it only http(s) addresses become links.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from orchestration.history.explain import Explanation, Row
from orchestration.scoring.evidence import document_text
from orchestration.scoring.visible import visible

# Of a long document so much is shown before and after its quote.
CONTEXT = 10_000


def page(explanation: Explanation, texts: Mapping[Any, Row]) -> str:
    """The HTML; `texts` holds the documents by id."""
    return _template().render(explanation=explanation, passage=lambda proof: _passage(proof, texts))


@cache
def _template() -> Template:
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = lambda text: visible(str(text))
    environment.filters["link"] = _link
    return environment.get_template("explanation.html.jinja")


def _passage(proof: Row, texts: Mapping[Any, Row]) -> Mapping[str, str]:
    """The document's text before, in and after the quote; offsets are of the text as it is
    stored, so it is cut first and cleaned then."""
    stored = texts[proof["document_id"]]
    text = document_text(stored["title"], stored["body"])
    start, end = proof["quote_start"] or 0, proof["quote_end"] or 0
    first, last = max(0, start - CONTEXT), end + CONTEXT
    return {
        "before": ("… " if first else "") + visible(text[first:start]),
        "quote": visible(text[start:end]),
        "after": visible(text[end:last]) + (" …" if last < len(text) else ""),
    }


def _link(url: str | None) -> str | None:
    """The address if a browser may follow it."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None
