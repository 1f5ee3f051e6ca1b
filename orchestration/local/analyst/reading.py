"""Answers a prompt by the lexicon, the same way every time, quoting the sentence that matched."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sentencex

from orchestration.local.analyst.lexicon import Lexicon, Rule, load

MAX_FINDINGS = 4
MAX_QUOTE = 300
_DELIMITED = re.compile(r"<<<BEGIN (\w+)>>>\n(.*)\n<<<END \1>>>", re.DOTALL)
_SUPPLIER = re.compile(r"^Supplier: (.*)$", re.MULTILINE)
_FINDING = re.compile(r"^(\d+)\. level (\d), (\w+), (\w+), (\w+): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Sentence:
    """A sentence. `nearness`: 2 it names the supplier, 1 its paragraph or the title does."""

    text: str
    nearness: int


def answer(schema_name: str, prompt: str) -> dict[str, Any]:
    """An answer to a prompt of this project; for any other, nothing (the schema fills it)."""
    delimited = _DELIMITED.search(prompt)
    if delimited is None:
        return {}
    rest = prompt[delimited.end() :]
    supplier = _SUPPLIER.search(rest) or _SUPPLIER.search(prompt)
    names = [name.strip() for name in supplier[1].split("|")] if supplier else []
    if schema_name == "risk_findings":
        return _findings(delimited[2], names)
    if schema_name == "risk_briefs":
        return _brief(delimited[2], names)
    return {}


def _findings(document: str, names: Sequence[str]) -> dict[str, Any]:
    lexicon = load()
    sentences = _sentences(document, names)
    best: dict[tuple[str, str], tuple[int, int, dict[str, Any]]] = {}
    for position, sentence in enumerate(sentences):
        if sentence.nearness == 0:
            continue
        read = lexicon.ignored.sub(" ", " ".join(sentence.text.lower().split()))
        for rule, words in _matches(lexicon, read):
            finding = _finding(lexicon, rule, words, sentence.text, read)
            key = (rule.dimension, rule.event_type)
            rank = (finding["level"] * 10 + sentence.nearness, -position)
            if key not in best or rank > best[key][:2]:
                best[key] = (*rank, finding)
    ranked = sorted(best.values(), key=lambda entry: entry[:2], reverse=True)
    findings = [finding for _, _, finding in ranked[:MAX_FINDINGS]]
    named = [sentence for sentence in sentences if sentence.nearness == 2]
    if not findings and named:
        findings = [_no_risk(named[0].text)]
    return {"relevance": _relevance(sentences), "findings": findings}


def _sentences(document: str, names: Sequence[str]) -> list[Sentence]:
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


def _matches(lexicon: Lexicon, read: str) -> list[tuple[Rule, list[str]]]:
    """The rules that apply, one for each kind of event, with the words that matched."""
    found: dict[tuple[str, str], tuple[Rule, list[str]]] = {}
    for rule in lexicon.rules:
        words = list(dict.fromkeys(rule.pattern.findall(read)))
        key = (rule.dimension, rule.event_type)
        if words and (key not in found or rule.level > found[key][0].level):
            found[key] = (rule, words)
    return list(found.values())


def _finding(
    lexicon: Lexicon, rule: Rule, words: list[str], sentence: str, read: str
) -> dict[str, Any]:
    level = rule.level + bool(lexicon.raising.search(read)) - bool(lexicon.lowering.search(read))
    status = rule.status
    if lexicon.resolved.search(read):
        status = "resolved"
    elif lexicon.alleged.search(read):
        status = "alleged"
    return {
        "dimension": rule.dimension,
        "level": min(5, max(1, level)),
        "status": status,
        "event_type": rule.event_type,
        "event_date": None,
        "keywords": [word[:60] for word in words[:5]],
        "quote": _quote(sentence, words[0]),
        "rationale": f"The lexicon reads “{words[0]}” as {rule.event_type.replace('_', ' ')}.",
    }


def _no_risk(sentence: str) -> dict[str, Any]:
    return {
        "dimension": "operational",
        "level": 0,
        "status": "confirmed",
        "event_type": "no_risk",
        "event_date": None,
        "keywords": ["no risk"],
        "quote": sentence[:MAX_QUOTE],
        "rationale": "The lexicon knows none of the words near the supplier's name.",
    }


def _quote(sentence: str, word: str) -> str:
    """The sentence, or the part of a long one that holds the word."""
    if len(sentence) <= MAX_QUOTE:
        return sentence
    start = max(0, sentence.lower().find(word) - MAX_QUOTE // 3)
    if start:
        start = sentence.find(" ", start) + 1
    part = sentence[start : start + MAX_QUOTE]
    if start + MAX_QUOTE >= len(sentence):
        return part
    return part.rpartition(" ")[0] or part


def _relevance(sentences: Sequence[Sentence]) -> float:
    if not sentences:
        return 0.0
    named = sum(sentence.nearness == 2 for sentence in sentences)
    near = sum(sentence.nearness == 1 for sentence in sentences)
    return round(min(1.0, 0.3 * bool(named) + (named + 0.5 * near) / len(sentences)), 2)


def _brief(findings: str, names: Sequence[str]) -> dict[str, Any]:
    """The gravest findings, one sentence for each dimension."""
    supplier = names[0] if names else "The supplier"
    by_dimension: dict[str, list[tuple[int, str, str]]] = {}
    for match in _FINDING.finditer(findings):
        number, _, dimension, event_type, status, _ = match.groups()
        by_dimension.setdefault(dimension, []).append((int(number), event_type, status))
    sentences = []
    for dimension, entries in list(by_dimension.items())[:5]:
        kinds = dict.fromkeys(f"{kind.replace('_', ' ')} ({status})" for _, kind, status in entries)
        count = f"{len(entries)} finding{'s' if len(entries) > 1 else ''}"
        text = (
            f"{supplier}: {count} on {dimension.replace('_', ' ')}, {', '.join(list(kinds)[:4])}."
        )
        sentences.append({"text": text, "cites": [number for number, _, _ in entries[:5]]})
    return {"sentences": sentences}
