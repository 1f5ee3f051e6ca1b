"""Briefs: made of verified findings that count, renewed when those change, and never deleted."""

import json

import pytest

from orchestration.ingestion import work_items
from orchestration.ingestion.message import Document
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring import briefs
from orchestration.scoring.checks import violations
from orchestration.scoring.generations import open_stream
from orchestration.scoring.report import RunReport
from orchestration.scoring.steps import Run
from orchestration.settings import PostgresSettings
from tests.conftest import Analyst
from tests.scoring.endpoint import completion, endpoint, quoting
from tests.scoring.scenario import RECALL, land_documents, land_hinted, land_texts, run
from tests.scoring.test_outage import scripted
from tests.scoring.test_run import calls

PUMPS = "Acme Corp recalls pumps in Mexico."
PRAISE = "Acme Corp is praised in Mexico."


def history(connection: Connection) -> list[int]:
    """How many findings each brief was made of, the oldest first; of none: nothing to tell."""
    rows = connection.execute("select text, finding_ids from risk.briefs order by brief_id")
    told = [(row["text"], len(row["finding_ids"])) for row in rows]
    assert all((text is None) == (count == 0) for text, count in told)
    return [count for _, count in told]


def current(connection: Connection) -> str | None:
    """The text that stands."""
    text: str | None = one(connection, "select text from risk.current_briefs")["text"]
    return text


def test_a_correction_that_is_an_exact_copy_of_another_document_renews_the_brief(
    connection: Connection, analyst: Analyst
) -> None:
    land_documents(connection, [Document(text=RECALL, external_id="a"), Document(text=PUMPS)])
    run(connection, analyst.settings)
    land_documents(connection, [Document(text=PUMPS, external_id="a", version=2)])
    run(connection, analyst.settings)
    assert history(connection) == [2, 1]
    assert violations(connection) == {}


def test_a_correction_that_nobody_can_read_renews_the_brief(
    connection: Connection, analyst: Analyst
) -> None:
    land_documents(connection, [Document(text=RECALL, external_id="a"), Document(text=PUMPS)])
    run(connection, analyst.settings)
    analyst.fail_with({"kind": "refusal", "contains": "Acme Corp was sold"})
    text = "Acme Corp was sold in Mexico."
    land_documents(connection, [Document(text=text, external_id="a", version=2)])
    run(connection, analyst.settings)
    row = one(connection, "select last_error_class from risk.work_items where state = 'dead'")
    assert row["last_error_class"] == "refusal"
    assert history(connection) == [2, 1]


@pytest.mark.parametrize("correction", ["Withdrawn.", PRAISE])
def test_a_pair_whose_findings_are_all_gone_has_nothing_to_tell_and_keeps_its_history(
    connection: Connection, analyst: Analyst, correction: str
) -> None:
    land_documents(connection, [Document(text=RECALL, external_id="a")])
    run(connection, analyst.settings)
    told = current(connection)
    assert told is not None
    land_documents(connection, [Document(text=correction, external_id="a", version=2)])
    result = run(connection, analyst.settings)
    assert current(connection) is None
    assert result.pairs["acme@MX"].brief is None
    paid = calls(connection)
    result = run(connection, analyst.settings, targets=["acme@MX"])
    assert result.failures == {}
    assert (history(connection), calls(connection)) == ([1, 0], paid)
    land_documents(connection, [Document(text=RECALL, external_id="a", version=3)])
    run(connection, analyst.settings)
    assert current(connection) == told
    assert history(connection) == [1, 0, 1]


def test_another_model_that_finds_nothing_ends_the_brief_of_the_one_before(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)
    run(connection, analyst.settings)
    with endpoint(lambda _: (200, quoting())) as (url, _):
        run(connection, scripted(analyst.settings, url), targets=["acme@MX"])
    assert current(connection) is None
    assert history(connection) == [1, 0]


def test_where_nothing_was_ever_told_no_brief_is_written(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, PRAISE)
    run(connection, analyst.settings)
    assert history(connection) == []
    outcome = one(connection, "select outcome from risk.work_items where step = 'briefs'")
    assert outcome["outcome"] == "no_findings"


def test_a_brief_is_not_made_of_a_finding_whose_quote_is_not_in_the_document(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)
    asked: list[str] = []

    def script(prompt: str) -> tuple[int, object]:
        if "<<<BEGIN" in prompt and RECALL in prompt:
            return 200, quoting("Acme Corp recalls 500 valves", "It invented this.")
        asked.append(prompt)
        sentence = {"text": "Valves are recalled.", "cites": [1]}
        return 200, completion(json.dumps({"sentences": [sentence]}))

    with endpoint(script) as (url, _):
        run(connection, scripted(analyst.settings, url))
    assert history(connection) == [1]
    assert "invented" not in asked[0]


def test_a_pair_that_is_renewed_while_its_brief_is_asked_for_is_written_by_its_newest_claim(
    connection: Connection, database: PostgresSettings, analyst: Analyst
) -> None:
    """In the same stream, which may have two claims of one pair under way."""
    land_hinted(connection, RECALL, "Beta AG files for bankruptcy.")
    run(connection, analyst.settings)
    settings = analyst.settings.model_copy(update={"model": "another"})
    generation = open_stream(connection, settings.model)
    changed: list[str] = []

    def script(prompt: str) -> tuple[int, object]:
        if not changed:
            changed.append(prompt)
            with connect(database, "another run") as other:
                rows = other.execute("select pair_id from risk.pairs").fetchall()
                briefs.renew(other, [row["pair_id"] for row in rows], generation)
        sentence = {"text": "Something happened.", "cites": [1]}
        return 200, completion(json.dumps({"sentences": [sentence]}))

    pairs = connection.execute("select pair_id from risk.pairs").fetchall()
    briefs.renew(connection, [row["pair_id"] for row in pairs], generation)
    with endpoint(script) as (url, asked):
        at_script = settings.model_copy(update={"base_url": url, "concurrency": 1})
        briefs.write_pending(Run(connection, at_script, "run-2", generation, 5), RunReport())
    assert len(asked) == 2
    states = connection.execute(
        "select distinct state, outcome, attempts from risk.work_items"
        " where step = 'briefs' and generation_id = %s",
        [generation],
    )
    assert [tuple(row.values()) for row in states] == [("done", "written", 1)]
    assert work_items.has_claimable(connection) is False
