"""Evidence: is the quote really in the document, and where?

Compared are the letters: Unicode form, case, white space, quotation marks and invisible
characters do not matter. Offsets count characters of the document's text as it is stored; a quote
begins and ends with whole ones ("caf" and an accent's letter alone are no quote of "café").
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from orchestration.scoring.visible import is_hidden

_SINGLE_QUOTES = dict.fromkeys("‘’‚‛′`´‹›", "'")  # noqa: RUF001
_DOUBLE_QUOTES = dict.fromkeys("“”„‟″«»", '"')
_NOTHING_SPECIAL = re.compile(r"[ -~\n\t]*")
_MARKS = str.maketrans(_SINGLE_QUOTES | _DOUBLE_QUOTES)


def document_text(title: str, body: str) -> str:
    """The text that is shown to the LLM and that offsets refer to: title, empty line, body."""
    return f"{title}\n\n{body}" if title else body


def comparable(text: str) -> str:
    """The letters that are compared; empty where a text has no visible one."""
    return _letters(text)[0].strip()


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """Start and end of a place in `text` that reads like `quote`; None if there is none.

    The first one, but in plain text one with the same white space comes before others.
    """
    wanted = comparable(quote)
    if not wanted:
        return None
    if (plain := _plain(text)) is not None:
        if (first := plain.find(wanted)) >= 0:
            return first, first + len(wanted)
        found = re.search(r"\s+".join(map(re.escape, wanted.split())), plain)
        return found.span() if found else None
    letters, origins = _document_letters(text)
    first = letters.find(wanted)
    while first >= 0:
        last = first + len(wanted) - 1
        if _is_new(origins, first) and _is_new(origins, last + 1):
            return origins[first], origins[last] + 1
        first = letters.find(wanted, first + 1)
    return None


@lru_cache(maxsize=4)
def _plain(text: str) -> str | None:
    """The text in lower case, character by character, if it has none that takes more care."""
    marked = text.translate(_MARKS)
    return marked.lower() if _NOTHING_SPECIAL.fullmatch(marked) else None


def _is_new(origins: Sequence[int], position: int) -> bool:
    """Whether a letter is the first one of its character, as the end of the text is."""
    return not 0 < position < len(origins) or origins[position] != origins[position - 1]


@lru_cache(maxsize=4)
def _document_letters(text: str) -> tuple[str, list[int]]:
    """Several quotes of one document are searched in a row."""
    return _letters(text)


def _letters(text: str) -> tuple[str, list[int]]:
    """The comparable letters of a text, and for each one the index of its character."""
    letters: list[str] = []
    origins: list[int] = []
    for index, character in enumerate(text):
        if character.isspace():
            if letters and letters[-1] != " ":
                letters.append(" ")
                origins.append(index)
            continue
        if is_hidden(character):
            continue
        for letter in unicodedata.normalize("NFKD", character.translate(_MARKS)).casefold():
            if not letter.isspace():
                letters.append(letter)
                origins.append(index)
    return "".join(letters), origins
