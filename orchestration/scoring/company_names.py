"""Company names without their legal forms: "Acme Corp." and "Acme Corporation" are one name. Pure.

Legal forms are cleanco's, and those written out that it lacks.
"""

import re
import unicodedata

from cleanco.clean import custom_basename, get_unique_terms, normalize_terms

_WRITTEN_OUT = (
    "Aktiengesellschaft",
    "Gesellschaft mit beschränkter Haftung",
    "Kommanditgesellschaft",
    "Limited Liability Company",
    "Public Limited Company",
    "Société Anonyme",
    "Sociedad Anónima",
    "Società per Azioni",
    "Societas Europaea",
    "SE",
    "ULC",
    "GmbH & Co",
    "Co KGaA",
    "Tbk",
)
# Of a script without blanks: they stand right behind the name, or before it.
_UNSPACED = re.compile(
    r"股份有限公司|有限责任公司|有限責任公司|股份公司|有限公司|株式会社|주식회사|\(주\)"
)
# Countries and everyday words, too: "Acme UK" is not "Acme".
_NOT_FORMS = {"uk", "at", "ok", "nl", "et", "xk"}
_FORMS = sorted(
    {
        tuple(term.split())
        for term in normalize_terms({*get_unique_terms(), *_WRITTEN_OUT})
        if term.split() and term not in _NOT_FORMS
    },
    key=lambda parts: (-len(parts), -len(" ".join(parts)), parts),
)
_TERMS = [(len(parts), list(parts)) for parts in _FORMS]
_MAX_FORMS = 3


def _dotted(part: str) -> str:
    """`ag` also as A.G. and a.g."""
    if len(part) > 5:
        return re.escape(part)
    return r"\.?".join(map(re.escape, part)) + r"\.?"


_FORM = r"(?:" + "|".join(r"\s+".join(map(_dotted, parts)) for parts in _FORMS) + r")"
_BEHIND = re.compile(
    rf"(?:(?:,\s?|\s){_FORM}(?!\w)){{1,{_MAX_FORMS}}}|(?:{_UNSPACED.pattern})", re.IGNORECASE
)
_LONGEST_BEHIND = 80
_NEXT_WORD = re.compile(
    r"(?:,?\s)?([\x21-\x2b\x2d-\x7e]{0,20}+)(?![^\x00-\x7f])"
)  # quick: most are no form
_FIRST_PARTS = {parts[0] for parts in _FORMS} | {""}
_A_WORD = re.compile(r"[\s,]*(?!Co)[A-Z][a-z]")
_LOWER_CASE_FORM = re.compile(r"[\s,]*(?:plc|gmbh|inc|ltd|llc|aktiengesellschaft)\b")


def base_name(name: str) -> str:
    """The name without legal forms at its end; the name itself where nothing else is in it."""
    shorter = name
    while True:
        without = _UNSPACED.sub("", custom_basename(shorter, _TERMS)).strip()
        if not _has_letters(without):  # AB Inc.: the name looks like a form
            without = " ".join(shorter.split()[:-1])
        if without == shorter or not _has_letters(without):
            return shorter
        shorter = without


def comparable_name(name: str) -> str:
    """What names of one company have in common: neither case, accents' form, punctuation nor legal
    form. Of a name without letters and digits nothing is left."""
    while True:
        folded = unicodedata.normalize("NFKC", base_name(name)).casefold()
        letters = "".join(c if _is_letter(c) else " " for c in folded)
        without = " ".join(letters.split())
        if without == name:
            return name
        name = without


def end_of_legal_form(text: str, end: int) -> int:
    """Where the legal form ends that follows text[:end] at once; `end` if there is none."""
    following = _NEXT_WORD.match(text, end)
    if following and following[1].replace(".", "").casefold() not in _FIRST_PARTS:
        return end
    found = _BEHIND.match(text[end : end + _LONGEST_BEHIND])
    if found is None:
        return end
    form = found[0]
    is_written_so = any(c.isupper() or c == "." or ord(c) > 0x2E7F for c in form)
    if _A_WORD.fullmatch(form) or not (is_written_so or _LOWER_CASE_FORM.match(form)):
        return end
    return end + len(form)


def _has_letters(name: str) -> bool:
    return any(character.isalnum() for character in name)


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"
