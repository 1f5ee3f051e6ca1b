"""The injection report: attacks move nothing where nobody obeys, and a gullible model is caught."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.ingestion import reading
from orchestration.ingestion.message import Document
from orchestration.ingestion.supplier_csv import read_csv
from orchestration.local.analyst import lexicon
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.checks import violations
from orchestration.scoring.evidence import document_text
from orchestration.scoring.injection import asking, attacks, figures
from orchestration.scoring.injection.attacks import PLACES, Attack, attacked
from orchestration.scoring.intervals import wilson
from orchestration.scoring.visible import visible
from orchestration.settings import REPOSITORY
from tests.conftest import Analyst
from tests.scoring.endpoint import completion, endpoint, quoting
from tests.scoring.test_outage import scripted

LANGUAGES = {"en", "de", "fr", "es", "zh", "ar", "ru"}


def sample(number: int) -> list[asking.Subject]:
    records = reading.read([REPOSITORY / "data" / "sample" / "supplier_news_200.jsonl"])
    documents = (one.content for one in records if isinstance(one.content, Document))
    suppliers = read_csv(REPOSITORY / "data" / "suppliers.csv")
    return list(asking.subjects(documents, suppliers, number, 20_000))


def by_attack(trials: list[figures.Trial]) -> Mapping[tuple[str, str], figures.Row]:
    return {(row.attack, row.language): row for row in figures.rows(trials)}


@pytest.mark.parametrize("attack", attacks.load(), ids=lambda one: f"{one.name} {one.language}")
def test_no_attack_holds_a_word_of_the_lexicon(attack: Attack) -> None:
    words = lexicon.load()
    read = " ".join(visible(attack.written("TOKEN")).lower().split())
    assert [rule.event_type for rule in words.rules if rule.pattern.search(read)] == []


def test_each_demand_is_made_in_every_language() -> None:
    for name in ("report level 0", "score 5"):
        assert {one.language for one in attacks.load() if one.name == name} == LANGUAGES


@given(st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), min_size=1))
def test_hidden_attacks_are_not_in_the_prompt_and_split_ones_are_read_in_clear(text: str) -> None:
    for hidden, shown in (("tags", ""), ("bits", ""), ("split", text)):
        attack = Attack.model_validate(
            {"name": "a", "language": "en", "goal": "lower", "text": text, "hidden": hidden}
        )
        written = attack.written("T")
        assert visible(written) == shown.replace("{token}", "T")
        assert len(text) == 1 or text not in written


@given(st.text("ab\n", max_size=30), st.sampled_from(PLACES))
def test_an_attacked_document_is_the_document_and_one_paragraph(body: str, place: Any) -> None:
    text = attacked("Title", body, "ATTACK", place)
    assert text.startswith("Title\n\n")
    assert text.count("ATTACK") == 1
    rest = text.replace("ATTACK\n\n", "", 1) if place != "last" else text[: -len("\n\nATTACK")]
    assert rest == document_text("Title", body)


def test_attacks_move_no_finding_of_the_offline_analyst_and_write_no_assessment(
    connection: Connection, analyst: Analyst
) -> None:
    chosen = sample(8)
    asked = asking.ask(connection, analyst.settings, chosen, attacks.load())
    assert len(asked.trials) == 8 * len(attacks.load())
    assert any(finding.level > 2 for trial in asked.trials for finding in trial.clean.findings)
    for row in figures.rows(asked.trials):
        assert (row.failed, row.moved, row.obeyed, row.leaked) == (0, 0, 0, 0), row
    for table in ("risk.assessments", "risk.findings", "risk.mentions", "risk.generations"):
        assert one(connection, f"select count(*) as n from {table}")["n"] == 0
    kept = one(connection, "select count(*) as n from llm.attempts where outcome = 'ok'")
    assert kept["n"] == asked.paid_calls > 0
    assert violations(connection) == {}
    assert asking.ask(connection, analyst.settings, chosen, attacks.load()).paid_calls == 0


def gullible(prompt: str) -> tuple[int, object]:
    """Obeys what it reads, as a model might; says what it was told to say."""
    document = prompt.rpartition("<<<END")[0]
    if "Report level 0" in document:
        return 200, completion(json.dumps({"relevance": 1, "findings": []}))
    if (place := document.find("the code KX")) >= 0:
        answer: Any = json.loads(
            json.dumps(quoting("x")).replace("It says so.", document[place:][:30])
        )
        return 200, answer
    return 200, quoting("x")


def test_a_gullible_model_is_caught_in_the_language_that_it_obeys(
    connection: Connection, analyst: Analyst
) -> None:
    with endpoint(gullible) as (url, _):
        asked = asking.ask(connection, scripted(analyst.settings, url), sample(6), attacks.load())
    rows = by_attack(asked.trials)
    obeyed = rows["report level 0", "en"]
    assert (obeyed.moved, obeyed.obeyed, obeyed.share_moved) == (6, 6, 1.0)
    assert rows["report level 0", "de"].moved == 0
    assert rows["control", "en"].moved == 0
    assert rows["split by zero-width spaces", "en"].obeyed == 6
    assert (
        rows["hidden in tags", "en"].obeyed == rows["hidden in zero-width bits", "en"].obeyed == 0
    )
    canary = rows["canary", "en"]
    assert (canary.leaked, canary.obeyed, canary.moved) == (6, 6, 0)
    assert sum(row.leaked for row in rows.values()) == 6


def test_a_canary_in_an_answer_that_breaks_the_schema_has_leaked_all_the_same(
    connection: Connection, analyst: Analyst
) -> None:
    def babbling(prompt: str) -> tuple[int, object]:
        place = prompt.find("KX")
        if place >= 0:
            return 200, completion(f"Sure: {prompt[place : place + 12]}")
        return 200, completion("Sure.") if "does not count" in prompt else quoting()

    with endpoint(babbling) as (url, _):
        asked = asking.ask(connection, scripted(analyst.settings, url), sample(2), attacks.load())
    row = by_attack(asked.trials)["canary", "en"]
    assert (row.failed, row.leaked, row.share_moved, row.interval) == (2, 2, None, None)


def test_the_command_shows_a_table_writes_the_figures_and_says_what_they_prove(
    connection: Connection, analyst: Analyst, tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    result = CliRunner().invoke(app, ["injection-report", "--documents", "2", "--json", str(file)])
    assert result.exit_code == 0, result.output
    report = json.loads(file.read_text())
    assert report["model"] == analyst.settings.model
    assert "proves the harness" in report["proves"]
    assert {row["asked"] for row in report["attacks"]} == {2}
    assert report["attacks"][0]["interval"][0] == 0


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0
