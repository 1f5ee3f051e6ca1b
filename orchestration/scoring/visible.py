"""What a reader sees of a text: the letters that a prompt holds and that quotes are compared by.

Pure. Instructions can hide from people in characters that show nothing but reach a model. A prompt
goes without them; what is stored stays as it came. The joiners of Persian, Indic scripts and emoji
are among them: without these the words are read all the same.
"""

import re
import unicodedata
from functools import cache

_LINE = "\n\t"
# Format and control characters, private use, unassigned (tags and non-characters among them).
_HIDDEN_CATEGORIES = frozenset({"Cf", "Cc", "Co", "Cn"})
# Letters and marks by category, yet nothing to see: Unicode's Default_Ignorable_Code_Point.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_SELECTORS = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_PLAIN = re.compile(r"[ -~\n\t]*")


@cache
def is_hidden(character: str) -> bool:
    """Whether a character other than white space shows nothing."""
    return (
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or character in _FILLERS
        or any(first <= ord(character) <= last for first, last in _SELECTORS)
    )


def visible(text: str) -> str:
    """The text without what shows nothing; line feeds and tabs stay, other line ends become one."""
    if _PLAIN.fullmatch(text):
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        one if not one.isspace() or one in _LINE or not is_hidden(one) else "\n"
        for one in lines
        if one.isspace() or not is_hidden(one)
    )
