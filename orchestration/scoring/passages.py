"""The paragraphs and sentences of one text, and the countries named in each. Pure; no database.

Each is looked for once, however many names ask for it: time grows with the text alone.
"""

import re
from bisect import bisect_right
from functools import cache, cached_property

import sentencex

from orchestration.scoring.countries import countries_in, countries_of_cities_in

_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n")


class Passages:
    """A text that is asked where in it a place lies."""

    def __init__(self, text: str, language: str | None) -> None:
        self._text = text
        self._language = language or "en"
        self._slice = cache(lambda begin, stop: text[begin:stop])
        self._sentences = cache(self._split)
        self.countries = cache(countries_in)
        self.countries_of_cities = cache(countries_of_cities_in)

    def paragraph(self, place: int) -> str:
        """The paragraph around a character."""
        return self._slice(*self._bounds(place))

    def sentence(self, place: int) -> str:
        """The sentence around a character, or its paragraph where no sentence is seen."""
        begin, stop = self._bounds(place)
        starts, sentences = self._sentences(begin, stop)
        number = bisect_right(starts, place - begin) - 1
        if number >= 0:
            end, sentence = sentences[number]
            if place - begin < end:
                return sentence
        return self._slice(begin, stop)

    @cached_property
    def _gaps(self) -> list[tuple[int, int]]:
        return [match.span() for match in _PARAGRAPH_END.finditer(self._text)]

    @cached_property
    def _paragraph_starts(self) -> list[int]:
        return [0, *(end for _, end in self._gaps)]

    def _bounds(self, place: int) -> tuple[int, int]:
        number = bisect_right(self._paragraph_starts, place) - 1
        stop = self._gaps[number][0] if number < len(self._gaps) else len(self._text)
        return self._paragraph_starts[number], stop

    def _split(self, begin: int, stop: int) -> tuple[list[int], list[tuple[int, str]]]:
        """Where the sentences of a paragraph start; and where each ends, with its words."""
        boundaries = sentencex.get_sentence_boundaries(self._language, self._slice(begin, stop))
        return (
            [boundary["start_index"] for boundary in boundaries],
            [(boundary["end_index"], str(boundary["text"])) for boundary in boundaries],
        )
