"""Finds names in text, whatever they name. Pure; no database.

One automaton holds all names, so the time depends on the text and not on the number of names.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

import ahocorasick

from orchestration.scoring.words import is_whole_word

Value = TypeVar("Value")
SHORT_NAME = 4


class Match(NamedTuple, Generic[Value]):
    """A name found at text[start:end]."""

    start: int
    end: int
    value: Value


class NameFinder(Generic[Value]):
    """Whole words only; of overlapping names the longest counts.

    Names of up to four characters match in their exact case. Longer ones match in any case, but a
    name that begins with a capital needs one in the text (Apple is not apple).
    """

    def __init__(self, names: Iterable[tuple[str, Value]]) -> None:
        self._automaton = ahocorasick.Automaton()
        for name, value in names:
            self._automaton.add_word(_folded(name), (name, value))
        self._automaton.make_automaton()

    def find(self, text: str) -> list[Match[Value]]:
        """Matches in the order of the text, none overlapping another."""
        if len(self._automaton) == 0:
            return []
        candidates = []
        for last, (name, value) in self._automaton.iter(_folded(text)):
            start, end = last - len(name) + 1, last + 1
            if is_whole_word(text, start, end) and _case_fits(name, text[start:end]):
                candidates.append(Match(start, end, value))
        return _longest(candidates)


def _longest(candidates: Sequence[Match[Value]]) -> list[Match[Value]]:
    chosen: list[Match[Value]] = []
    covered: set[int] = set()
    for match in sorted(candidates, key=lambda match: (match.start - match.end, match.start)):
        if match.start not in covered and match.end - 1 not in covered:
            chosen.append(match)
            covered.update(range(match.start, match.end))
    return sorted(chosen, key=lambda match: match.start)


def _folded(text: str) -> str:
    """Lower case with white space as blanks, character by character: offsets stay true."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return re.sub(r"\s", " ", lowered)


def _case_fits(name: str, found: str) -> bool:
    if len(name) <= SHORT_NAME:
        return name == found
    return not name[0].isupper() or found[0].isupper()
