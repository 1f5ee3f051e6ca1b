"""Parts of a text: nothing lost, nothing over the limit, cut where a reader would cut."""

from hypothesis import given
from hypothesis import strategies as st

from orchestration.scoring.splitting import Part, excerpt, halve, split

WORDS = st.text("aB .!?\n\t\u3002é\u0301👩\u200d", max_size=400)
LIMITS = st.integers(2, 60)


@given(WORDS | st.text(max_size=400), LIMITS)
def test_parts_joined_are_the_text_and_know_where_they_stand(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert "".join(part.text for part in parts) == text
    for part in parts:
        assert text[part.start : part.end] == part.text
        assert len(part.text) <= limit
        assert part.text or not text


@given(WORDS | st.text(max_size=400), LIMITS)
def test_a_text_is_split_into_few_parts(text: str, limit: int) -> None:
    assert (len(split(text, limit)) - 1) * (limit // 2) <= len(text)


@given((WORDS | st.text(max_size=400)).filter(lambda text: len(text) > 1), st.integers(0, 9))
def test_halves_joined_are_the_part_and_each_is_smaller(text: str, start: int) -> None:
    one, two = halve(Part(start, text))
    assert one.text + two.text == text
    assert (one.start, two.start) == (start, start + len(one.text))
    assert 0 < max(len(one.text), len(two.text)) <= len(text) * 3 // 4 + 1
    assert one.text
    assert two.text


def test_a_text_is_cut_at_a_paragraph_else_a_sentence_else_a_word_else_anywhere() -> None:
    for text, first in (
        ("One. Two.\n\nThree. Four. Five.", "One. Two.\n\n"),
        ("Valves fail. Pumps fail too, often", "Valves fail. "),
        ("valves and pumps and pipes fail", "valves and pumps "),
        ("x" * 30, "x" * 20),
    ):
        assert split(text, 20)[0].text == first


def test_an_excerpt_is_the_beginning_and_what_names_somebody() -> None:
    filler = "Nothing of note was said here. " * 3
    text = "\n\n".join([*([filler] * 40), "Acme burns.", *([filler] * 40)])
    shown = excerpt(text, 1_000, ["Acme"])
    assert shown.startswith(filler)
    assert "Acme burns." in shown
    assert shown.count("[...]") == 2
    assert len(shown) < 1_200


@given(WORDS, LIMITS)
def test_an_excerpt_of_a_short_text_is_the_text(text: str, limit: int) -> None:
    assert excerpt(text, max(limit, len(text)), ["a"]) == text
