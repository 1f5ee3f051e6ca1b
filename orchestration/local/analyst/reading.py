"""Answers a prompt by the lexicon, the same way every time, quoting the sentence that matched."""

import re
from collections.abc import Sequence
from typing import Any

from orchestration.local.analyst.lexicon import Lexicon, Rule, load
from orchestration.local.analyst.screening import judge_suppliers
from orchestration.local.analyst.sentences import (
    level_of,
    matches,
    readable,
    relevance_of,
    sentences_of,
)

MAX_FINDINGS = 4
MAX_QUOTE = 300
_DELIMITED = re.compile(r"<<<BEGIN (\w+)>>>\n(.*)\n<<<END \1>>>", re.DOTALL)
_SUPPLIER = re.compile(r"^Supplier: (.*)$", re.MULTILINE)
_FINDING = re.compile(r"^(\d+)\. level (\d), (\w+), (\w+), (\w+): (.*)$", re.MULTILINE)


def answer(schema_name: str, prompt: str) -> dict[str, Any]:
    """An answer to a prompt of this project; for any other, nothing (the schema fills it)."""
    delimited = _DELIMITED.search(prompt)
    if delimited is None:
        return {}
    rest = prompt[delimited.end() :]
    if schema_name == "supplier_mentions":
        return judge_suppliers(delimited[2], rest)
    supplier = _SUPPLIER.search(rest) or _SUPPLIER.search(prompt)
    names = [name.strip() for name in supplier[1].split("|")] if supplier else []
    if schema_name == "risk_findings":
        return _findings(delimited[2], names)
    if schema_name == "risk_briefs":
        return _brief(delimited[2], names)
    return {}


def _findings(document: str, names: Sequence[str]) -> dict[str, Any]:
    lexicon = load()
    sentences = sentences_of(document, names)
    best: dict[tuple[str, str], tuple[int, int, dict[str, Any]]] = {}
    for position, sentence in enumerate(sentences):
        if sentence.nearness == 0:
            continue
        read = readable(lexicon, sentence.text)
        for rule, words in matches(lexicon, read):
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
    return {"relevance": relevance_of(sentences), "findings": findings}


def _finding(
    lexicon: Lexicon, rule: Rule, words: list[str], sentence: str, read: str
) -> dict[str, Any]:
    status = rule.status
    if lexicon.resolved.search(read):
        status = "resolved"
    elif lexicon.alleged.search(read):
        status = "alleged"
    return {
        "dimension": rule.dimension,
        "level": level_of(lexicon, rule, read),
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
