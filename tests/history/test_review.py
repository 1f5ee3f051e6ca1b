"""`supplier-risk review` as a person meets it: what is shown, what is said, what is wrong use."""

import os
import subprocess
import sys

import pytest

from orchestration.errors import UsageError
from orchestration.history.review import MAX_NOTE, Label, label, reviewer
from orchestration.ingestion.message import Document, SupplierHint
from orchestration.resources.postgres import Connection
from tests.conftest import Analyst
from tests.history.answers import (
    CALM,
    FIRST,
    SURE,
    ask,
    assessment_of,
    finding_of,
    reply,
)
from tests.scoring.scenario import land_documents, land_hinted


@pytest.fixture
def world(connection: Connection, analyst: Analyst) -> Connection:
    land_hinted(connection, SURE, CALM)
    ask(connection, analyst.settings, "second", FIRST)
    return connection


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "review", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )


def words(text: str) -> str:
    """Without the line breaks and frames of a narrow terminal."""
    return " ".join(text.replace("│", " ").split())


def labels(connection: Connection) -> list[tuple[object, ...]]:
    rows = connection.execute(
        "select finding_id, assessment_id, verdict, corrected_level, note, made_by"
        " from risk.labels order by label_id"
    )
    return [tuple(row.values()) for row in rows]


def test_next_shows_what_was_found_where_and_how_to_judge_it(world: Connection) -> None:
    done = command("next")
    assert done.returncode == 0, done.stderr
    shown, finding, assessment = (
        words(done.stdout),
        finding_of(world, SURE),
        assessment_of(world, CALM),
    )
    assert f"finding {finding}: random" in shown
    assert "supplier Acme Corp (acme) in MX" in shown
    assert "found operational, level 2, confirmed, recall" in shown
    assert f"quote “{SURE}”" in shown
    assert "rationale It says so." in shown
    assert f"supplier-risk review label {finding} --agree | --level N | --disagree" in shown
    assert f"assessment {assessment}: no_risk" in shown
    assert f"supplier-risk review label --assessment {assessment} --agree | --disagree" in shown


def test_next_shows_hostile_texts_without_control_characters(
    connection: Connection, analyst: Analyst
) -> None:
    text = "Acme Corp \x1b]0;owned\x07\x1b[2J[red]burns[/red] in \u202eMexico."
    hints = (SupplierHint(supplier="acme", country="MX"),)
    land_documents(
        connection,
        [Document(text=text, title="\x1b[31mred", publisher="\x9bpaper", supplier_hints=hints)],
    )
    ask(connection, analyst.settings, "second", {"burns": reply(("[bold]\x1b[5mblink", 2))})
    done = command("next", "--reason", "unverified")
    assert done.returncode == 0, done.stderr
    assert "[red]burns[/red] in Mexico." in words(done.stdout)
    assert "[bold][5mblink" in words(done.stdout)
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(done.stdout)


def test_next_with_nothing_left_says_so(connection: Connection) -> None:
    done = command("next")
    assert (done.returncode, done.stdout.strip()) == (0, "Nothing is left to label.")


def test_what_a_person_says_is_kept_with_the_persons_name(world: Connection) -> None:
    finding, assessment = finding_of(world, SURE), assessment_of(world, CALM)
    said = [
        command("label", str(finding), "--agree", "--by", "ann"),
        command("label", str(finding), "--level", "0", "--note", "a drill", "--by", "ben"),
        command("label", str(finding), "--disagree", "--by", "cem"),
        command("label", "--assessment", str(assessment), "--disagree", "--by", "ann"),
    ]
    assert [done.returncode for done in said] == [0] * 4, said
    assert labels(world) == [
        (finding, None, "agree", None, None, "ann"),
        (finding, None, "disagree", 0, "a drill", "ben"),
        (finding, None, "disagree", None, None, "cem"),
        (None, assessment, "disagree", None, None, "ann"),
    ]
    assert f"ben says disagree of finding {finding}, level 0 is right" in words(said[1].stdout)


def test_without_a_name_the_one_on_this_machine_signs(
    world: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "dora")
    assert command("label", str(finding_of(world, SURE)), "--agree").returncode == 0
    assert [row[-1] for row in labels(world)] == ["dora"]


def test_saying_the_same_again_adds_nothing_and_another_opinion_does(world: Connection) -> None:
    finding = finding_of(world, SURE)
    agree = Label("agree", finding)
    other = Label("disagree", finding, corrected_level=3, note="worse")
    added = [label(world, said, "ann") for said in (agree, agree, other, other, agree)]
    assert added == [True, False, True, False, True]
    assert label(world, agree, "ben")
    again = command("label", str(finding), "--agree", "--by", "ben")
    assert "said so before" in again.stdout
    assert len(labels(world)) == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["label", "{finding}"], "Say one of --agree"),
        (["label", "{finding}", "--agree", "--level", "3"], "Say one of --agree"),
        (["label", "{finding}", "--agree", "--disagree"], "Say one of --agree"),
        (["label", "{finding}", "--level", "6"], "--level"),
        (["label", "{finding}", "--level", "2"], "has the level 2 already"),
        (["label", "{finding}", "--agree", "--by", " "], "--by must name somebody"),
        (["label", "{finding}", "--agree", "--by", "x" * 201], "200 are the most"),
        (["label", "{finding}", "--agree", "--note", "x" * (MAX_NOTE + 1)], "2,000 are the most"),
        (["label", "{finding}", "--agree", "--assessment", "{assessment}"], "not both"),
        (["label", "--agree"], "Say which: the id of a finding"),
        (["label", "--assessment", "{assessment}", "--level", "3"], "A level belongs to a finding"),
        (["label", "999", "--agree"], "There is no finding 999"),
        (["label", "99999999999999999999", "--agree"], "There is no finding 9999"),
        (["label", "--assessment", "999", "--agree"], "There is no assessment 999"),
        (["label", "one", "--agree"], "FINDING_ID"),
        (["next", "--reason", "boredom"], "There is no reason 'boredom'"),
        (["next", "--generation", "99"], "no generation 99"),
        (["next", "--count", "0"], "--count"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_code_2_and_adds_nothing(
    world: Connection, arguments: list[str], says: str
) -> None:
    ids = {"finding": finding_of(world, SURE), "assessment": assessment_of(world, CALM)}
    done = command(*(argument.format(**ids) for argument in arguments))
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in words(done.stderr)
    assert "Traceback" not in done.stderr
    assert labels(world) == []


@pytest.mark.parametrize("note", ["null\x00", "half \ud83d of a pair"])
def test_a_note_that_cannot_be_stored_is_refused(world: Connection, note: str) -> None:
    with pytest.raises(UsageError, match="cannot be stored"):
        label(world, Label("agree", finding_of(world, SURE), note=note), "ann")


def test_a_user_without_a_name_is_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(UsageError, match="--by NAME"):
        reviewer()
