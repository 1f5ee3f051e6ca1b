"""Whom a document is about, by the lexicon: names in another sense, and how grave the words near
the supplier are. Companies with a legal form in a grave sentence are reported as others.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from orchestration.local.analyst.lexicon import Lexicon, load
from orchestration.local.analyst.sentences import (
    Sentence,
    level_of,
    matches,
    readable,
    relevance_of,
    sentences_of,
)
from orchestration.scoring.company_names import base_name, comparable_name, end_of_legal_form

_LINE = re.compile(r"^(\d+)\. (.*); countries: (.*)$", re.MULTILINE)
_CODE = re.compile(r"\(([A-Z]{2})\)")
_CAPITALISED = re.compile(
    r"\b(?!The )[A-Z][\w&'’.-]*(?:(?: (?:of|&|de|du|la)){0,2} [A-Z][\w&'’-]*){0,5}"  # noqa: RUF001
)
_URGENCY = ("low", "normal", "normal", "high", "critical", "critical")
MAX_OTHERS = 10


def judge_suppliers(document: str, question: str) -> dict[str, Any]:
    """The answer to a prompt that lists suppliers below a document."""
    lexicon = load()
    asked = [
        (int(number), [name.strip() for name in names.split("|")], _CODE.findall(countries))
        for number, names, countries in _LINE.findall(question)
    ]
    names = {comparable_name(name) for _, each, _ in asked for name in each}
    return {
        "suppliers": [_verdict(lexicon, document, *one) for one in asked],
        "others": list(_others(lexicon, document, names))[:MAX_OTHERS],
    }


def _verdict(
    lexicon: Lexicon, document: str, number: int, names: Sequence[str], countries: Sequence[str]
) -> dict[str, Any]:
    sentences = sentences_of(document, names)
    is_subject = not _means_something_else(lexicon, sentences, names)
    level = max((_level(lexicon, sentence) for sentence in sentences), default=0)
    return {
        "supplier": number,
        "is_subject": is_subject,
        "relevance": relevance_of(sentences) if is_subject else 0.0,
        "countries": list(countries) if is_subject else [],
        "urgency": _URGENCY[level] if is_subject else "low",
    }


def _level(lexicon: Lexicon, sentence: Sentence) -> int:
    """The highest one of what the sentence says, if it is near the supplier."""
    if sentence.nearness == 0:
        return 0
    read = readable(lexicon, sentence.text)
    return max((level_of(lexicon, rule, read) for rule, _ in matches(lexicon, read)), default=0)


def _means_something_else(
    lexicon: Lexicon, sentences: Sequence[Sentence], names: Sequence[str]
) -> bool:
    """Whether each sentence with the name holds words of its other sense, and none a legal form."""
    comparable = map(comparable_name, names)
    known = [lexicon.homonyms[name] for name in comparable if name in lexicon.homonyms]
    naming = [sentence.text for sentence in sentences if sentence.nearness == 2]
    return bool(known and naming) and all(
        any(pattern.search(" ".join(text.lower().split())) for pattern in known)
        and not any(_has_legal_form(text, name) for name in names)
        for text in naming
    )


def _has_legal_form(text: str, name: str) -> bool:
    return any(
        end_of_legal_form(text, match.end()) > match.end()
        for match in re.finditer(re.escape(name), text)
    )


def _others(lexicon: Lexicon, document: str, names: set[str]) -> Iterator[dict[str, Any]]:
    seen = set(names)
    for sentence in sentences_of(document, []):
        if not matches(lexicon, readable(lexicon, sentence.text)):
            continue
        for match in _CAPITALISED.finditer(sentence.text):
            name = sentence.text[match.start() : end_of_legal_form(sentence.text, match.end())]
            comparable = comparable_name(name)
            has_form = base_name(name) != name
            if has_form and comparable not in seen:
                seen.add(comparable)
                yield {"name": name, "country": None}
