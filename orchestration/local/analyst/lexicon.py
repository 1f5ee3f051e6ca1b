"""Reads lexicon.yaml: which words mean which risk. Pure; no HTTP."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_PATH = Path(__file__).parent / "lexicon.yaml"


@dataclass(frozen=True)
class Rule:
    """Phrases that mean one kind of event. `level` is 0 to 5 (scoring taxonomy)."""

    dimension: str
    event_type: str
    level: int
    status: str
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Lexicon:
    """All rules, the phrases that change what a rule found, and names (comparable) with the words
    that go with their other sense."""

    rules: tuple[Rule, ...]
    homonyms: Mapping[str, re.Pattern[str]]
    ignored: re.Pattern[str]
    raising: re.Pattern[str]
    lowering: re.Pattern[str]
    alleged: re.Pattern[str]
    resolved: re.Pattern[str]


@cache
def load() -> Lexicon:
    """The lexicon of this package."""
    content = yaml.safe_load(_PATH.read_text(encoding="utf-8"))
    rules = tuple(
        Rule(
            rule["dimension"],
            rule["event_type"],
            rule["level"],
            rule.get("status", "confirmed"),
            _any_of(rule["phrases"]),
        )
        for rule in content["rules"]
    )
    kinds = ("ignored", "raising", "lowering", "alleged", "resolved")
    homonyms = {name: _any_of(phrases) for name, phrases in content["homonyms"].items()}
    return Lexicon(rules, homonyms, *(_any_of(content[kind]) for kind in kinds))


def _any_of(phrases: list[str]) -> re.Pattern[str]:
    """Whole words of a lower-cased text; `*` at the end of a word stands for any ending."""
    alternatives = (re.escape(phrase.lower()).replace(r"\*", r"\w*") for phrase in phrases)
    return re.compile(r"\b(?:" + "|".join(alternatives) + r")(?!\w)")
