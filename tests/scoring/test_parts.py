"""Long documents: asked about in parts, assessed as one, each quote found where it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.ingestion.message import Document, SupplierHint
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.calls import Answer
from orchestration.scoring.checks import violations
from orchestration.scoring.evidence import comparable, document_text
from orchestration.scoring.parts import TOO_LONG, Reading, find_quote_from, merged
from orchestration.scoring.replies import MAX_FINDINGS, Finding, FindingsReply
from orchestration.scoring.splitting import Part, split
from tests.conftest import Analyst
from tests.scoring.endpoint import Script, endpoint, quoting
from tests.scoring.scenario import RECALL, land_documents, run
from tests.scoring.test_outage import scripted
from tests.scoring.test_run import calls, totals

FILLER = "The committee met again and took note of what its members had to say. "
TITLE = "Report on Acme Corp in Mexico"
FIRE = "A fire at Acme Corp destroyed the plant in Mexico."
STRIKE = "Workers of Acme Corp are on strike in Mexico."


def hinted(text: str, title: str = TITLE) -> Document:
    """Of a publisher who says who is meant: nothing is asked before the findings."""
    hints = (SupplierHint(supplier="acme", country="MX"),)
    return Document(title=title, text=text, supplier_hints=hints)


def pages(number: int, first: int = 1) -> str:
    """About 2,000 characters each."""
    return "\n\n".join(f"Page {first + page}. " + FILLER * 28 for page in range(number))


def finding(level: int, quote: str, event_type: str = "recall") -> Finding:
    return Finding.model_validate(
        {
            "dimension": "operational",
            "level": level,
            "status": "confirmed",
            "event_type": event_type,
            "event_date": None,
            "keywords": ["x"],
            "quote": quote,
            "rationale": "It says so.",
        }
    )


def answer(relevance: float, *findings: Finding) -> Answer:
    return Answer("ok", "", False, FindingsReply(relevance=relevance, findings=list(findings)), 1)


def test_a_document_of_300_pages_is_scored_with_quotes_at_their_places(
    connection: Connection, analyst: Analyst
) -> None:
    body = f"{pages(150)}\n\n{FIRE}\n\n{pages(148, 151)}\n\n{STRIKE}\n\n{pages(2, 299)}"
    assert len(body) > 580_000
    land_documents(connection, [Document(title=TITLE, text=body)])
    run(connection, analyst.settings.model_copy(update={"timeout_seconds": 60}))
    text = document_text(TITLE, body)
    found = {
        row["quote"]: (row["quote_start"], row["quote_end"], row["quote_verified"])
        for row in connection.execute("select * from risk.findings where level > 0")
    }
    for quote in (FIRE, STRIKE):
        place = text.index(quote)
        assert found[quote] == (place, place + len(quote), True)
    assert totals(connection) == {"scored": 1}
    assessment = one(connection, "select * from risk.assessments")
    parts = assessment["response_ids"]
    assert len(parts) == len(set(parts)) == len(split(text, 60_000)) > 9
    assert assessment["response_id"] == parts[0]
    assert violations(connection) == {}


def test_each_part_shows_the_title_and_a_short_document_is_one_part(
    connection: Connection, analyst: Analyst
) -> None:
    land_documents(connection, [hinted(pages(3)), hinted(RECALL, "")])
    with endpoint(lambda _: (200, quoting())) as (url, asked):
        settings = scripted(analyst.settings, url)
        run(connection, settings.model_copy(update={"max_document_characters": 2_500}))
    assert sum(f">>>\n{TITLE}\n\n" in prompt for prompt in asked) == 3
    assert sum(f">>>\n{RECALL}\n<<<" in prompt for prompt in asked) == 1
    assert len(asked) == 4


def test_a_part_that_fails_fails_the_item_and_the_other_parts_are_not_paid_twice(
    connection: Connection, analyst: Analyst
) -> None:
    land_documents(connection, [hinted(f"{pages(2)}\n\n{FIRE}")])
    settings = analyst.settings.model_copy(update={"max_document_characters": 2_500})
    analyst.fail_with({"kind": "cut_off", "contains": FIRE})
    run(connection, settings)
    assert totals(connection) == {"dead": 1}
    assert one(connection, "select count(*) as n from risk.assessments")["n"] == 0
    paid = calls(connection)
    analyst.recover()
    run(connection, settings, targets=["acme@MX"])
    assert totals(connection) == {"scored": 1}
    assert calls(connection) == paid + 2  # the part that failed, and the brief
    assert violations(connection) == {}


def too_long_above(characters: int) -> Script:
    error = {"message": "too long", "code": "context_length_exceeded"}

    def script(prompt: str) -> tuple[int, object]:
        shown = prompt.split(">>>\n", 1)[1].split("\n<<<END", 1)[0]
        if len(shown) > characters:
            return 400, {"error": error}
        return 200, quoting(FIRE) if FIRE in prompt else quoting()

    return script


def test_a_part_that_is_too_long_for_the_model_is_halved_until_it_is_not(
    connection: Connection, analyst: Analyst
) -> None:
    body = f"{pages(7)}\n\n{FIRE}\n\n{pages(7, 8)}"
    land_documents(connection, [hinted(body)])
    with endpoint(too_long_above(5_000)) as (url, asked):
        run(connection, scripted(analyst.settings, url))
    assert totals(connection) == {"scored": 1}
    start = document_text(TITLE, body).index(FIRE)
    row = one(connection, "select quote_start, quote_verified from risk.findings")
    assert tuple(row.values()) == (start, True)
    kept = one(connection, "select response_ids from risk.assessments")["response_ids"]
    assert len(kept) > len(body) // 5_000
    assert len(asked) > len(kept)
    assert violations(connection) == {}


def test_what_is_too_long_at_the_shortest_is_dead_with_that_reason(
    connection: Connection, analyst: Analyst
) -> None:
    land_documents(connection, [Document(title=TITLE, text=pages(4))])
    with endpoint(too_long_above(0)) as (url, asked):
        result = run(connection, scripted(analyst.settings, url))
    assert totals(connection) == {"dead": 1}
    assert result.outstanding == [f"1 dead: {TOO_LONG}"]
    assert len(asked) < 20


def test_the_answers_of_all_parts_make_one() -> None:
    reading = Reading(None, [])
    reading.read = [
        (Part(10, "second"), answer(0.9, finding(2, "It is a  recall"), finding(5, "b", "flood"))),
        (Part(0, "first part"), answer(0.4, finding(3, "it is a recall"), finding(0, "c"))),
    ]
    reply, parts = merged(reading)
    assert reply.relevance == 0.9
    assert [(one.level, part.start) for one, part in zip(reply.findings, parts, strict=True)] == [
        (5, 10),
        (3, 0),
        (0, 0),
    ]


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.text("ab", max_size=3)), max_size=20)))
def test_of_many_findings_the_gravest_are_kept_and_none_twice(
    replies: list[list[tuple[int, str]]],
) -> None:
    replies += [[], []]
    reading = Reading(None, [])
    reading.read = [
        (Part(n, "x"), answer(0, *(finding(level, quote) for level, quote in reply)))
        for n, reply in enumerate(replies)
    ]
    reply, parts = merged(reading)
    kept = [(one.level, comparable(one.quote)) for one in reply.findings]
    gravest: dict[str, int] = {}
    for level, quote in (pair for given_reply in replies for pair in given_reply):
        gravest[quote] = max(level, gravest.get(quote, 0))
    assert [level for level, _ in kept] == sorted(gravest.values(), reverse=True)[:MAX_FINDINGS]
    assert all(gravest[quote] == level for level, quote in kept)
    assert len(parts) == len(kept)


def test_a_quote_is_looked_for_in_its_own_part_first_and_then_in_the_document() -> None:
    text = "Title\n\nA fire. Much else. A fire. The end."
    second = Part(text.rindex("A fire"), text[text.rindex("A fire") :])
    assert find_quote_from(second, "a fire.", text) == (second.start, second.start + 7)
    assert find_quote_from(second, "title", text) == (0, 5)
    assert find_quote_from(second, "no fire", text) is None


@pytest.mark.parametrize("transient", [True, False])
def test_a_failure_that_no_other_try_can_mend_decides(transient: bool) -> None:
    reading = Reading(None, [])
    reading.read = [
        (Part(0, "a"), Answer("timeout", "", True)),
        (Part(1, "b"), Answer("refusal", "", transient)),
    ]
    failure = reading.failure
    assert failure is not None
    assert failure.outcome == ("timeout" if transient else "refusal")
