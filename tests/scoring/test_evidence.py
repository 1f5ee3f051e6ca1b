"""Quotes: found whatever their form, and never where they are not."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from orchestration.scoring.evidence import document_text, find_quote
from orchestration.scoring.visible import visible

TEXT = "The “Café” fire\n  was contained, ACME’s spokes\u00adman said. It’s over."


def test_a_quote_is_found_whatever_its_form() -> None:
    for quote in (
        'the "cafe\u0301" FIRE was contained',
        "ACME's spokesman said",
        "  it's   over. ",
    ):
        place = find_quote(quote, TEXT)
        assert place is not None, quote
    start, end = find_quote("Fire was contained", TEXT) or (0, 0)
    assert TEXT[start:end] == "fire\n  was contained"


def test_a_changed_or_empty_quote_is_not_found() -> None:
    for quote in ("The fire was not contained", "", "   ", "\u200b", "contained; ACME"):
        assert find_quote(quote, TEXT) is None


def test_offsets_count_characters_of_title_empty_line_and_body() -> None:
    text = document_text("Fire", "A fire.")
    assert find_quote("a fire.", text) == (6, 13)
    assert document_text("", "A fire.") == "A fire."


@given(st.text(min_size=1, max_size=60), st.data())
def test_every_passage_of_a_text_is_found_in_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    passage = text[start:end]
    place = find_quote(passage, text)
    assert (place is not None) == bool(visible(passage).strip())
    if place is not None:
        assert 0 <= place[0] < place[1] <= len(text)
        assert find_quote(text[place[0] : place[1]], text) == place


LETTERS = st.text("aAßsSﬁfi½1é\u0301e’'“\"¨\u00ad\u200b \n", max_size=12)


def reading(passage: str) -> str:
    """The rule in other words: visible letters in one Unicode form, case and kind of quote."""
    words = "".join(" " if c.isspace() else c for c in passage).split(" ")
    return " ".join(filter(None, (letters(word) for word in words)))


def letters(word: str) -> str:
    seen = (c for c in word if unicodedata.category(c) not in {"Cf", "Cc"})
    folded = (unicodedata.normalize("NFKD", c).casefold().replace(" ", "") for c in seen)
    return "".join(folded).translate(str.maketrans("’“", "'\""))


@given(LETTERS, LETTERS)
def test_a_quote_is_verified_only_if_its_letters_stand_there(quote: str, text: str) -> None:
    place = find_quote(quote, text)
    if place is not None:
        assert reading(text[slice(*place)]) == reading(quote)


def test_a_part_of_a_character_is_no_quote() -> None:
    for quote, text in (("i", "ﬁ"), ("s", "ß"), ("1", "½"), ("cafe", "café")):
        assert find_quote(quote, text) is None
    assert find_quote("s", "ßs") == (1, 2)
