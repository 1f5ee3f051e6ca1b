"""The sentences of a document, how near each is to a supplier, and which rules of the lexicon apply
to it. Pure; no HTTP.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sentencex

from orchestration.local.analyst.lexicon import Lexicon, Rule


@dataclass(frozen=True)
class Sentence:
    """A sentence. `nearness`: 2 it names the supplier, 1 its paragraph or the title does."""

    text: str
    nearness: int


def sentences_of(document: str, names: Sequence[str]) -> list[Sentence]:
    """All of them, in order, seen from the supplier with these names."""
    patterns = [
        re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", re.IGNORECASE) for name in names
    ]

    def is_named(text: str) -> bool:
        return any(pattern.search(text) for pattern in patterns)

    paragraphs = [part for part in re.split(r"\n\s*\n", document) if part.strip()]
    # the title names it, or nothing does: then a hint brought the document here
    about = bool(paragraphs) and (is_named(paragraphs[0]) or not is_named(document))
    sentences = []
    for paragraph in paragraphs:
        near = 1 if about or is_named(paragraph) else 0
        for boundary in sentencex.get_sentence_boundaries("en", paragraph):
            text = boundary["text"].strip()
            if text:
                sentences.append(Sentence(text, 2 if is_named(text) else near))
    return sentences


def readable(lexicon: Lexicon, text: str) -> str:
    """A sentence as the rules read it."""
    return lexicon.ignored.sub(" ", " ".join(text.lower().split()))


def matches(lexicon: Lexicon, read: str) -> list[tuple[Rule, list[str]]]:
    """The rules that apply, one for each kind of event, with the words that matched."""
    found: dict[tuple[str, str], tuple[Rule, list[str]]] = {}
    for rule in lexicon.rules:
        words = list(dict.fromkeys(rule.pattern.findall(read)))
        key = (rule.dimension, rule.event_type)
        if words and (key not in found or rule.level > found[key][0].level):
            found[key] = (rule, words)
    return list(found.values())


def level_of(lexicon: Lexicon, rule: Rule, read: str) -> int:
    """1 to 5: the rule's level, and what in the sentence makes it graver or lighter."""
    raised = bool(lexicon.raising.search(read)) - bool(lexicon.lowering.search(read))
    return min(5, max(1, rule.level + raised))


def relevance_of(sentences: Sequence[Sentence]) -> float:
    """0 to 1, by how many sentences are near."""
    if not sentences:
        return 0.0
    named = sum(sentence.nearness == 2 for sentence in sentences)
    near = sum(sentence.nearness == 1 for sentence in sentences)
    return round(min(1.0, 0.3 * bool(named) + (named + 0.5 * near) / len(sentences)), 2)
