"""`supplier-risk export`: each good answer once, with its labels, in a file that is whole."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.resources.postgres import Connection, one
from tests.conftest import Analyst
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_texts, run
from tests.test_cli import supplier_risk


@pytest.fixture
def two(connection: Connection, analyst: Analyst) -> None:
    """One assessment of acme, and one of beta."""
    land_texts(connection, RECALL, BANKRUPTCY)
    run(connection, analyst.settings)


def written(file: Path, *arguments: str) -> list[dict[str, Any]]:
    done = supplier_risk("export", str(file), *arguments)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert f"{len(lines)} answers written to {file}" in done.stdout
    return lines


@pytest.mark.usefixtures("two")
def test_a_line_holds_the_conversation_and_what_is_known_of_it(
    connection: Connection, tmp_path: Path
) -> None:
    (line,) = written(tmp_path / "acme.jsonl", "--supplier", "acme")
    assert [message["role"] for message in line["messages"]] == ["system", "user", "assistant"]
    assert RECALL in line["messages"][1]["content"]
    assert json.loads(line["messages"][2]["content"])["findings"]
    metadata = line["metadata"]
    assessment = one(
        connection,
        "select assessments.*, document_id from risk.assessments"
        " inner join risk.mentions using (mention_id) where supplier_id = 'acme'",
    )
    assert metadata.pop("prompt_version").startswith("risk_findings-")
    assert metadata == {
        "step": "risk_findings",
        "model": "offline-analyst-1",
        "response_id": assessment["response_id"],
        "generation": assessment["generation_id"],
        "supplier": "acme",
        "country": "MX",
        "document_id": str(assessment["document_id"]),
        "part": 1,
        "parts": 1,
        "labels": [],
    }


@pytest.mark.usefixtures("two")
def test_the_newest_label_of_each_person_goes_along(connection: Connection, tmp_path: Path) -> None:
    for verdict, level in (("agree", None), ("disagree", 2)):
        connection.execute(
            "insert into risk.labels (finding_id, verdict, corrected_level, note, made_by)"
            " select min(finding_id), %s, %s, 'sei \"genau\"', 'ann' from risk.findings"
            " inner join risk.assessments using (assessment_id)"
            " inner join risk.mentions using (mention_id) where supplier_id = 'acme'",
            [verdict, level],
        )
    connection.execute(
        "insert into risk.labels (assessment_id, verdict, made_by)"
        " select assessment_id, 'disagree', 'bob' from risk.assessments"
        " inner join risk.mentions using (mention_id) where supplier_id = 'acme'"
    )
    lines = written(tmp_path / "all.jsonl", "--all")
    labels = {line["metadata"]["supplier"]: line["metadata"]["labels"] for line in lines}
    missed = {"corrected_level": None, "ordinal": None, "note": None, "made_by": "bob"}
    assert labels["beta"] == []
    assert sorted(labels["acme"], key=lambda label: label["made_by"]) == [
        {
            "verdict": "disagree",
            "corrected_level": 2,
            "ordinal": one(connection, "select min(ordinal) as n from risk.findings")["n"],
            "note": 'sei "genau"',
            "made_by": "ann",
        },
        {"verdict": "disagree", **missed},
    ]


@pytest.mark.usefixtures("two")
def test_bare_lines_hold_the_messages_alone(tmp_path: Path) -> None:
    lines = written(tmp_path / "bare.jsonl", "--all", "--bare")
    assert [set(line) for line in lines] == [{"messages"}] * 2


def test_an_answer_that_two_generations_share_is_written_once(
    connection: Connection, two: None, analyst: Analyst, tmp_path: Path
) -> None:
    connection.execute(
        "insert into risk.generations (kind, status, model, prompt_versions)"
        " select 'replay', 'live', model, prompt_versions from risk.generations"
    )
    connection.execute(
        "insert into risk.assessments (mention_id, generation_id, outcome, relevance, response_id,"
        " response_ids, run_id) select mention_id, (select max(generation_id) from"
        " risk.generations), outcome, relevance, response_id, response_ids, 'again'"
        " from risk.assessments"
    )
    lines = written(tmp_path / "all.jsonl", "--all")
    assert [line["metadata"]["generation"] for line in lines] == [2, 2]
    assert len(written(tmp_path / "run.jsonl", "--run", "run-1")) == 2


@pytest.mark.usefixtures("two")
def test_purged_bodies_are_left_out_and_counted(connection: Connection, tmp_path: Path) -> None:
    connection.execute("update llm.requests set messages = null where messages::text like '%Beta%'")
    connection.execute(
        "update llm.responses set answer = null, raw_body = null, purged_at = now(),"
        " raw_sha256 = sha256(raw_body) where answer like '%recall%'"
    )
    file = tmp_path / "all.jsonl"
    done = supplier_risk("export", str(file), "--all")
    assert "0 answers written" in done.stdout
    assert "1 left out: answer purged" in done.stdout
    assert "1 left out: prompt purged" in done.stdout
    assert file.read_text() == ""


@pytest.mark.usefixtures("two")
def test_a_file_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text("mine")
    done = supplier_risk("export", str(file), "--all")
    assert done.returncode == 2
    assert "say --force" in done.stderr
    assert file.read_text() == "mine"
    assert len(written(file, "--all", "--force")) == 2
    assert [path.name for path in tmp_path.glob("*") if path.is_file()] == ["all.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Say which assessments are meant"),
        (["--supplier", "nobody"], "No document mentions a supplier 'nobody'"),
        (["--supplier", "acme", "--country", "DE"], "Nothing is selected"),
        (["--model", "gpt"], "No generation is of a model 'gpt'"),
        (["--since", "2999-01-01"], "Nothing is selected"),
        (["--since", "yesterday"], "--since"),
    ],
)
@pytest.mark.usefixtures("two")
def test_wrong_choices_are_a_sentence_and_exit_code_2_and_leave_no_file(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = supplier_risk("export", str(tmp_path / "none.jsonl"), *arguments)
    assert done.returncode == 2, done.stdout
    assert says in " ".join(done.stderr.split())
    assert not list(tmp_path.glob("*none*"))
