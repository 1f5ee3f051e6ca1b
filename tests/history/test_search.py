"""`supplier-risk search`: the best first, the words marked, and marks that no text can forge."""

import re

import dagster as dg
import pytest

from orchestration.history.search import BEGIN, END, search
from orchestration.ingestion import words
from orchestration.ingestion.message import Document
from orchestration.ingestion.words import take_words
from orchestration.resources.dagster import LlmEndpoint, Postgres
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.assets import supplier_mentions
from tests.conftest import Analyst
from tests.scoring.scenario import RECALL, land_documents, land_texts, run
from tests.test_cli import supplier_risk

EMBARGO = "New export control rules hit Acme Corp in Mexico."


def test_the_best_match_comes_first_with_its_words_marked_and_its_suppliers(
    connection: Connection, analyst: Analyst
) -> None:
    passing = "Among much else, far from the matter, somebody mentions export and then control."
    land_documents(
        connection,
        [
            Document(text=passing, title="Weather"),
            Document(text=EMBARGO, title="Export control"),
            Document(text="Nothing."),
        ],
    )
    run(connection, analyst.settings)
    found = search(connection, "export control", ["documents"])
    assert [hit.title for hit in found.hits] == ["Export control", "Weather"]
    assert f"{BEGIN}export{END} {BEGIN}control{END} rules" in found.hits[0].excerpt
    assert found.hits[0].subjects == ("acme@MX",)
    assert found.partly_ranked == []
    assert [hit.title for hit in search(connection, '"export control"').hits][:1]
    assert search(connection, "export -control").hits == []


def test_the_command_shows_what_to_look_up_next(connection: Connection, analyst: Analyst) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings)
    done = supplier_risk("search", "recalled valves")
    assert done.returncode == 0, done.stderr
    (document,) = connection.execute("select document_id from ingest.documents").fetchall()
    assert f"document {document['document_id']}" in done.stdout
    assert re.search(r"supplier-risk call \d+ *\n *answer of [0-9-]+; acme@MX", done.stdout)
    only = supplier_risk("search", "recalled valves", "--in", "answers", "--limit", "1").stdout
    assert "supplier-risk call" in only
    assert "document " not in only
    assert " 2. " not in only


def test_no_text_can_forge_a_mark_or_command_the_terminal(connection: Connection) -> None:
    forged = f"{BEGIN}fake{END} \x1b[31m\u202e[red]flood {END}{BEGIN} end"
    land_texts(connection, forged)
    (hit,) = search(connection, "flood").hits
    assert hit.excerpt.count(BEGIN) == hit.excerpt.count(END) == 1
    assert f"{BEGIN}flood{END}" in hit.excerpt
    shown = supplier_risk("search", "flood").stdout
    assert "[red]flood" in shown
    assert not {"\x1b", "\u202e", BEGIN, END} & set(shown)


@pytest.mark.parametrize("query", ["", "   ", "the of", "!&|", "\u202e"])
def test_a_search_without_a_word_is_a_sentence_and_exit_code_2(
    connection: Connection, query: str
) -> None:
    done = supplier_risk("search", query)
    assert done.returncode == 2
    assert "nothing to search for" in " ".join(done.stderr.split())


def test_nothing_found_is_no_failure(connection: Connection) -> None:
    done = supplier_risk("search", "embargo")
    assert (done.returncode, done.stdout.strip()) == (
        0,
        "Nothing in documents and answers matches.",
    )


def test_of_a_frequent_word_the_newest_are_ranked_and_that_is_said(connection: Connection) -> None:
    land_texts(connection, *(f"Flood number {number}." for number in range(5)))
    found = search(connection, "flood", most_ranked=3)
    assert found.partly_ranked == ["documents"]
    assert len(found.hits) == 4
    assert search(connection, "flood", most_ranked=5).partly_ranked == []


def test_what_landed_or_was_answered_since_is_found_and_nothing_is_taken_twice(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, "A first flood.")
    assert len(search(connection, "flood").hits) == 1
    land_texts(connection, "A second flood.", "A third flood.")
    assert not take_words(connection, most=1)
    assert take_words(connection)
    assert len(search(connection, "flood").hits) == 3
    kept = one(connection, "select count(*) as n from ingest.document_words")["n"]
    assert kept == 3


def test_batches_of_words_reach_every_text(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "BATCH", 2)
    land_texts(connection, *(f"Flood number {number}." for number in range(7)))
    assert take_words(connection)
    assert len(search(connection, "flood").hits) == 7


def test_a_run_makes_what_it_read_searchable(connection: Connection, analyst: Analyst) -> None:
    land_texts(connection, RECALL)
    with dg.instance_for_test() as instance:
        resources = {"postgres": Postgres(), "llm": LlmEndpoint()}
        assert dg.materialize([supplier_mentions], instance=instance, resources=resources).success
    counts = one(
        connection,
        "select (select count(*) from ingest.document_words) as documents,"
        " (select count(*) from llm.response_words) as answers",
    )
    assert counts == {"documents": 1, "answers": 1}
