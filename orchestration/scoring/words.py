"""Where a name may begin and end in a text: at the edges of words, in scripts that have them. Pure.

Chinese, Japanese, Thai and their like write no blanks: there a name may stand anywhere. Arabic and
Hebrew write "and", "in" and "the" together with the word, Korean its particles.
"""

import re

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f]"
)
_PROCLITICS = re.compile(
    "(?:^|[^\\w])(?:[\u0648\u0641]?[\u0628\u0644\u0643]?(?:\u0627\u0644)?"
    "|[\u0648\u0641]?\u0644\u0644|[\u05d5\u05e9]?[\u05d1\u05dc\u05de\u05db\u05d4]?)$"
)
_LONGEST_PROCLITICS = 5
_RIGHT_TO_LEFT = re.compile("[\u0590-\u06ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_PARTICLES = re.compile(
    "(?:은|는|이|가|을|를|의|에|와|과|도|로|으로|에서|에게|만|부터|까지|이나|나|측은|측이)(?!\\w)"
)


def is_whole_word(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] does not cut a word in two."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    is_apart = not (_is_word(before) or _is_word(after))
    return is_apart or (_begins(text, start) and _ends(text, end))


def _begins(text: str, start: int) -> bool:
    if start == 0 or not _is_word(text[start - 1]):
        return True
    before, first = text[start - 1], text[start]
    if before.isascii() and first.isascii():
        return False
    if _UNSPACED.match(before) or _UNSPACED.match(first):
        return True
    if _RIGHT_TO_LEFT.match(first):
        return bool(_PROCLITICS.search(text[max(0, start - _LONGEST_PROCLITICS) : start]))
    return False


def _ends(text: str, end: int) -> bool:
    if end >= len(text) or not _is_word(text[end]) or not _is_word(text[end - 1]):
        return True
    after, last = text[end], text[end - 1]
    if after.isascii() and last.isascii():
        return False
    if _UNSPACED.match(after) or _UNSPACED.match(last):
        return True
    return bool(_HANGUL.match(after)) and bool(_PARTICLES.match(text, end))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
