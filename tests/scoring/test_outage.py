"""Endpoints that answer nobody, one prompt only, or nonsense: what it costs the work items."""

import pytest

from orchestration.ingestion import circuit
from orchestration.resources.llm import EndpointRefuses, EndpointUnavailable
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.checks import violations
from orchestration.settings import LlmSettings, PostgresSettings
from tests.conftest import Analyst
from tests.migrations.test_roles import connect_as
from tests.scoring.endpoint import Script, completion, endpoint, quoting
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_hinted, run, wake
from tests.scoring.test_run import calls, totals

NOWHERE = "http://127.0.0.1:9/v1"


def patient(settings: LlmSettings, **changes: object) -> LlmSettings:
    return settings.model_copy(update={"max_attempts": 1, "concurrency": 4, **changes})


def attempts_of_items(connection: Connection) -> int:
    row = one(connection, "select max(attempts) as n from risk.work_items where step = 'findings'")
    return int(row["n"])


def land_recalls(connection: Connection, number: int) -> None:
    land_hinted(connection, *(f"Acme Corp recalls {n} valves in Mexico." for n in range(number)))


@pytest.mark.parametrize("kind", ["rate_limit", "server_error"])
def test_an_outage_costs_the_backlog_no_attempt_and_few_calls(
    connection: Connection, analyst: Analyst, kind: str
) -> None:
    land_recalls(connection, 40)
    analyst.fail_with({"kind": kind})
    for _ in range(6):
        with pytest.raises(EndpointUnavailable, match="What to do"):
            run(connection, patient(analyst.settings))
    assert totals(connection) == {"pending": 40}
    assert attempts_of_items(connection) == 0
    assert calls(connection) <= 6 * 8
    analyst.recover()
    run(connection, patient(analyst.settings))
    assert totals(connection) == {"scored": 40}


def test_an_endpoint_that_cannot_be_reached_costs_not_even_one_document_an_attempt(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)
    for _ in range(6):
        with pytest.raises(EndpointUnavailable, match="LLM_BASE_URL"):
            run(connection, patient(analyst.settings, base_url=NOWHERE))
    assert totals(connection) == {"pending": 1}
    assert attempts_of_items(connection) == 0


def test_a_document_that_fails_whenever_it_is_all_there_is_dies_in_the_end(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)
    analyst.fail_with({"kind": "server_error"})
    for expected in ("pending", "pending", "pending", "pending", "dead"):
        run(connection, patient(analyst.settings))
        assert totals(connection) == {expected: 1}
        wake(connection)


def test_a_document_that_fails_while_others_do_not_pays_for_itself(
    connection: Connection, analyst: Analyst
) -> None:
    land_recalls(connection, 8)
    analyst.fail_with({"kind": "server_error", "contains": "recalls 0 valves"})
    run(connection, patient(analyst.settings))
    assert totals(connection) == {"scored": 7, "pending": 1}
    assert attempts_of_items(connection) == 1


def test_an_endpoint_that_dies_in_the_middle_costs_what_was_not_answered_nothing(
    connection: Connection, analyst: Analyst
) -> None:
    land_recalls(connection, 120)
    answered: list[str] = []

    def dies_after_ten(prompt: str) -> tuple[int, object]:
        if len(answered) >= 10:
            return 500, {}
        answered.append(prompt)
        return 200, quoting()

    with endpoint(dies_after_ten) as (url, asked):
        one_by_one = patient(scripted(analyst.settings, url), concurrency=1)
        with pytest.raises(EndpointUnavailable):
            run(connection, one_by_one)
        assert len(asked) < 100
    assert totals(connection) == {"scored": 10, "pending": 110}
    waiting = "select max(attempts) as n from risk.work_items where step = 'findings' and state"
    assert one(connection, f"{waiting} = 'pending'")["n"] == 0
    assert circuit.obstacle(connection, scripted(analyst.settings, url)) is not None


def test_one_long_document_of_which_every_part_fails_dies_like_a_short_one(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, f"{RECALL} " * 400)
    analyst.fail_with({"kind": "server_error"})
    settings = patient(analyst.settings, max_document_characters=2_000)
    for expected in ("pending", "pending", "pending", "pending", "dead"):
        run(connection, settings)
        assert totals(connection) == {expected: 1}
        wake(connection)


def scripted(settings: LlmSettings, url: str) -> LlmSettings:
    return patient(settings, base_url=url, model="scripted")


def flagged(*words: str) -> Script:
    """Forbids prompts with one of the words, else finds nothing."""

    def script(prompt: str) -> tuple[int, object]:
        if any(word in prompt for word in words):
            return 403, {"error": {"message": "flagged"}}
        return 200, quoting()

    return script


def test_one_forbidden_prompt_is_dead_and_the_others_are_scored(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY)
    with endpoint(flagged("Beta AG files")) as (url, _):
        result = run(connection, scripted(analyst.settings, url))
    assert totals(connection) == {"scored": 1, "dead": 1}
    assert result.outstanding == ["1 dead: forbidden"]


def test_a_forbidden_brief_is_dead_where_the_findings_of_its_run_were_answered(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)

    def script(prompt: str) -> tuple[int, object]:
        return (403, {}) if "operational, recall" in prompt else (200, quoting(RECALL))

    with endpoint(script) as (url, _):
        run(connection, scripted(analyst.settings, url))
    row = one(
        connection, "select state, last_error_class from risk.work_items where step = 'briefs'"
    )
    assert tuple(row.values()) == ("dead", "forbidden")


def test_if_every_prompt_is_forbidden_the_key_is_and_nothing_is_lost(
    connection: Connection, analyst: Analyst
) -> None:
    land_recalls(connection, 40)
    with endpoint(flagged("")) as (url, asked):
        with pytest.raises(EndpointRefuses, match="403"):
            run(connection, scripted(analyst.settings, url))
        assert len(asked) <= 8
    assert totals(connection) == {"pending": 40}


@pytest.mark.parametrize(
    "content", [[{"type": "text", "text": "parts"}], 7, "half a pair: \ud83d", {"a": None}]
)
def test_an_answer_that_is_no_text_is_unreadable_kept_and_fails_its_document_alone(
    connection: Connection, analyst: Analyst, content: object
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY)

    def script(prompt: str) -> tuple[int, object]:
        return 200, completion(content) if "Beta AG files" in prompt else quoting()

    with endpoint(script) as (url, asked):
        run(connection, scripted(analyst.settings, url))
        assert len(asked) == 2
    assert totals(connection) == {"scored": 1, "dead": 1}
    kept = one(
        connection,
        "select responses.answer, responses.raw_body, attempts.input_tokens from llm.responses"
        " inner join llm.attempts using (attempt_id) where responses.outcome = 'unreadable'",
    )
    assert (kept["answer"], kept["input_tokens"]) == (None, 10)
    assert b"choices" in kept["raw_body"]


def test_an_answer_that_cannot_be_stored_fails_its_document_alone_and_is_dead_in_the_end(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    land_hinted(connection, RECALL, BANKRUPTCY)
    with connect_as(database, "migrator") as owner:
        owner.execute("alter table risk.findings add check (quote not like 'Beta%')")
    for expected in ("pending", "pending", "pending", "pending", "dead"):
        run(connection, analyst.settings)
        assert totals(connection) == {"scored": 1, expected: 1}
        wake(connection)
    assert calls(connection) == 3
    reason = one(connection, "select last_error from risk.work_items where state = 'dead'")
    assert "keeping the answer" in reason["last_error"]


def test_quotes_that_are_absent_blank_or_exotic_do_not_turn_the_reconciliation_red(
    connection: Connection, analyst: Analyst
) -> None:
    text = "Acme Corp:\u00a0“ﬁre” in  Straße \u200b No. ½, said İzmir’s chief\u00ad."
    land_hinted(connection, text)
    present = (
        'FIRE" IN STRASSE',
        "no. 1⁄2",
        "i\u0307zmir's CHIEF.",
        "\u00a0“ﬁre” in  Straße \u200b ",
    )
    absent = ("Acme Corp burns.", "", " ", "\u00a0", "\u200b", "\u00ad", "\n", "1", "i")
    with endpoint(lambda _: (200, quoting(*present, *absent))) as (url, _):
        run(connection, scripted(analyst.settings, url))
    rows = connection.execute("select quote_verified from risk.findings order by ordinal")
    verified = [row["quote_verified"] for row in rows]
    assert verified == [True] * len(present) + [False] * (len(absent) - 1) + [True]
    assert violations(connection) == {}
