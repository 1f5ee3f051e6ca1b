"""Splits a text that is too long for one prompt: at paragraphs, else sentences, else words.

Pure. The parts joined are the text again; each knows where in the text it begins.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import sentencex

_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_WORD_END = re.compile(r"\s+")


@dataclass(frozen=True)
class Part:
    """A piece of a text; `start` counts the characters before it."""

    start: int
    text: str

    @property
    def end(self) -> int:
        """The first character behind it."""
        return self.start + len(self.text)


def split(text: str, limit: int, language: str | None = None) -> list[Part]:
    """Parts of at most `limit` (2 or more) characters in the order of the text, none empty; an
    empty text is one part."""
    parts = []
    start = 0
    while len(text) - start > limit:
        end = start + _cut(text[start : start + limit], language)
        parts.append(Part(start, text[start:end]))
        start = end
    return [*parts, Part(start, text[start:])]


def halve(part: Part, language: str | None = None) -> tuple[Part, Part]:
    """Two parts that are joined this one, each of at most three quarters and a character. The part
    has at least 2 characters."""
    middle = (len(part.text) + 1) // 2
    cut = _cut(part.text[:middle], language)
    return Part(part.start, part.text[:cut]), Part(part.start + cut, part.text[cut:])


def excerpt(text: str, limit: int, words: Sequence[str], language: str | None = None) -> str:
    """The text, or of one that is too long its beginning and what holds one of the words, in the
    order of the text, with marks where something is left out; about `limit` characters."""
    if len(text) <= limit:
        return text
    pieces = split(text, max(2, limit // 20), language)
    wanted = [piece for piece in pieces[10:] if any(word in piece.text for word in words)]
    shown = [*pieces[:10], *wanted[:10]]
    joined = shown[0].text
    for before, piece in pairwise(shown):
        joined += piece.text if before.end == piece.start else f"\n[...]\n{piece.text}"
    return joined if shown[-1].end == len(text) else f"{joined}\n[...]"


def _cut(window: str, language: str | None) -> int:
    """Where to end a part within the window: as late as possible, in its second half, at the
    best kind of place that there is."""
    half = (len(window) + 1) // 2
    for ends in (
        [match.end() for match in _PARAGRAPH_END.finditer(window, half - 1)],
        _sentence_ends(window, language),
        [match.end() for match in _WORD_END.finditer(window, half - 1)],
    ):
        # what ends with the window may go on behind it
        if good := [end for end in ends if half <= end < len(window)]:
            return good[-1]
    return len(window)


def _sentence_ends(window: str, language: str | None) -> list[int]:
    boundaries = sentencex.get_sentence_boundaries(language or "en", window)
    return [int(boundary["end_index"]) for boundary in boundaries]
