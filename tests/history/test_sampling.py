"""What a person is shown: findings in doubt first and in turn, each once, always the same ones."""

import pytest

from orchestration.errors import UsageError
from orchestration.history.review import Label, label
from orchestration.history.sampling import REASONS, Sample, sample
from orchestration.ingestion.message import Document
from orchestration.resources.postgres import Connection, one
from tests.conftest import Analyst
from tests.history.answers import (
    CALM,
    FAINT,
    FIRST,
    INVENTED,
    SPLIT,
    SURE,
    ask,
    assessment_of,
    finding_of,
    reply,
    two_models,
)
from tests.scoring.scenario import land_documents, land_hinted


@pytest.fixture
def world(connection: Connection, analyst: Analyst) -> Connection:
    two_models(connection, analyst.settings)
    return connection


def keys(samples: list[Sample]) -> list[tuple[str, int | None]]:
    return [(one.reason, one.finding_id or one.assessment_id) for one in samples]


def test_each_finding_in_doubt_is_shown_with_the_first_reason_that_applies(
    world: Connection,
) -> None:
    assert keys(sample(world, 9)) == [
        ("unverified", finding_of(world, INVENTED)),
        ("low_confidence", finding_of(world, FAINT)),
        ("disagreement", finding_of(world, SPLIT)),
        ("random", finding_of(world, SURE)),
        ("no_risk", assessment_of(world, CALM)),
    ]
    assert tuple(one.reason for one in sample(world, 9)) == REASONS


def test_a_sample_holds_all_that_a_person_needs_to_judge(world: Connection) -> None:
    (shown,) = sample(world, 1, reason="disagreement")
    assert (shown.supplier_id, shown.supplier_name, shown.country) == ("acme", "Acme Corp", "MX")
    assert (shown.quote, shown.passage) == (SPLIT, SPLIT)
    assert (shown.level, shown.dimension, shown.status) == (4, "operational", "confirmed")
    assert (shown.event_type, shown.rationale) == ("recall", "It says so.")
    assert shown.model == "second"
    assert shown.prompt_version.startswith("risk_findings-")
    (calm,) = sample(world, 1, reason="no_risk")
    assert (calm.finding_id, calm.quote, calm.level, calm.passage) == (None, None, None, CALM)


def test_the_passage_is_what_stands_around_the_quote(
    connection: Connection, analyst: Analyst
) -> None:
    text = f"{'a' * 500} {SURE} {'z' * 500}"
    land_hinted(connection, text)
    ask(connection, analyst.settings, "m", {text: reply((SURE, 2), ("Nothing of this.", 2))})
    unverified, found = sample(connection, 2)
    assert found.passage == f"…{'a' * 199} {SURE} {'z' * 199}…"
    assert SURE[:50] in unverified.passage


def test_the_reasons_take_turns_however_many_findings_one_has(
    connection: Connection, analyst: Analyst
) -> None:
    many = [(f"Nobody wrote sentence {number}.", 2) for number in range(6)]
    land_hinted(connection, INVENTED, SURE)
    ask(connection, analyst.settings, "m", {INVENTED: reply(*many), SURE: FIRST[SURE]})
    reasons = [one.reason for one in sample(connection, 4)]
    assert reasons == ["unverified", "random", "unverified", "unverified"]


def test_the_same_seed_draws_the_same_ones_and_another_seed_others(
    connection: Connection, analyst: Analyst
) -> None:
    many = [(f"Nobody wrote sentence {number}.", 2) for number in range(12)]
    land_hinted(connection, INVENTED)
    ask(connection, analyst.settings, "m", {INVENTED: reply(*many)})
    drawn = keys(sample(connection, 12))
    assert keys(sample(connection, 12)) == drawn
    assert keys(sample(connection, 5)) == drawn[:5]
    other = keys(sample(connection, 12, seed=1))
    assert other != drawn
    assert sorted(other, key=str) == sorted(drawn, key=str)


def test_what_somebody_labelled_is_not_shown_again(world: Connection) -> None:
    label(world, Label("agree", finding_id=finding_of(world, INVENTED)), "ann")
    label(world, Label("agree", assessment_id=assessment_of(world, CALM)), "ann")
    assert [one.reason for one in sample(world, 9)] == ["low_confidence", "disagreement", "random"]


def test_another_generation_is_shown_when_it_is_asked_for(world: Connection) -> None:
    first = one(world, "select generation_id from risk.generations where model = 'first'")
    shown = sample(world, 9, generation=first["generation_id"])
    assert {one.model for one in shown} == {"first"}
    assert ("disagreement", finding_of(world, SPLIT, "first")) in keys(shown)
    assert len(shown) == 5


def test_a_generation_that_found_nothing_disagrees_with_one_that_found_something(
    world: Connection, analyst: Analyst
) -> None:
    ask(world, analyst.settings, "third", {**FIRST, SURE: reply()})
    second = one(world, "select generation_id from risk.generations where model = 'second'")
    shown = sample(world, 9, generation=second["generation_id"], reason="disagreement")
    assert ("disagreement", finding_of(world, SURE)) in keys(shown)


def test_random_alone_draws_from_all_findings(world: Connection) -> None:
    shown = sample(world, 9, reason="random")
    assert {one.finding_id for one in shown} == {
        finding_of(world, text) for text in (SURE, INVENTED, FAINT, SPLIT)
    }


def test_findings_of_level_0_and_of_outdated_documents_are_not_shown(
    connection: Connection, analyst: Analyst
) -> None:
    hint = {"supplier": "acme", "country": "MX"}
    old = Document.model_validate(
        {"text": SURE, "external_id": "a", "supplier_hints": [hint], "version": 1}
    )
    land_documents(connection, [old])
    ask(connection, analyst.settings, "m", {SURE: reply((SURE, 2))})
    land_documents(connection, [old.model_copy(update={"text": CALM, "version": 2})])
    ask(connection, analyst.settings, "m", {CALM: reply((CALM, 0))})
    assert keys(sample(connection, 9)) == [("no_risk", assessment_of(connection, CALM, "m"))]


def test_an_unknown_reason_or_generation_is_wrong_use(world: Connection) -> None:
    with pytest.raises(UsageError, match="unverified, low_confidence"):
        sample(world, 1, reason="boredom")
    with pytest.raises(UsageError, match="no generation 99"):
        sample(world, 1, generation=99)
