"""`replay`, `generations` and `rollback` as a person meets them: tables, sentences, exit codes."""

import pytest

from orchestration.history.replay import open_replay
from orchestration.resources.postgres import Connection
from tests.conftest import Analyst
from tests.history.replaying import count, current, scored, wish
from tests.test_cli import supplier_risk


def words(text: str) -> str:
    """Without the line breaks of a narrow terminal."""
    return " ".join(text.split())


def test_a_replay_is_planned_opened_read_compared_promoted_and_discarded(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    asked = analyst.served()
    anew = ["replay", "--supplier", "acme", "--fresh", "--reason", "to see", "--by", "tester"]
    planned = supplier_risk(*anew, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "calls to pay 1" in words(planned.stdout)
    assert (analyst.served(), count(connection, "risk.generations")) == (asked, 1)

    done = supplier_risk(*anew, "--here")
    assert done.returncode == 0, done.stderr
    assert "Generation 2 (replay): 1 documents of 1 pairs are queued." in words(done.stdout)
    assert "1 documents read, 0 dead; 0 pairs left" in words(done.stdout)
    assert analyst.served() == asked + 2

    listed = words(supplier_risk("generations", "list").stdout)
    assert "by tester: to see" in listed
    compared = words(supplier_risk("generations", "compare", "2").stdout)
    assert "The same highest level in 1 of 1 documents with a risk: 100% agreement." in compared
    assert "The marts do not know of it yet" in compared
    assert "counts now: 1 pairs" in supplier_risk("generations", "promote", "2").stdout
    discarded = supplier_risk("generations", "discard", "2", "--reason", "no use")
    assert "is discarded: 1 pairs" in discarded.stdout
    assert "discarded by" in words(supplier_risk("generations", "list").stdout)


def test_without_here_a_replay_is_left_to_the_sensor(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    asked = analyst.served()
    opened = supplier_risk("replay", "--supplier", "acme", "--fresh", "--reason", "why")
    assert "replay_sensor starts runs for it" in words(opened.stdout)
    same = supplier_risk("replay", "--supplier", "acme", "--reason", "why")
    assert "The next scoring run takes what the stream lacks" in words(same.stdout)
    assert analyst.served() == asked


def test_a_rollback_is_planned_made_listed_and_undone(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    before = current(connection)
    planned = words(supplier_risk("rollback", "--supplier", "acme", "--dry-run").stdout)
    assert "Nothing was changed. A rollback would take back: 1 assessments and 1 briefs" in planned
    assert "acme@MX" in planned
    assert "1 none" in planned
    assert current(connection) == before
    done = supplier_risk("rollback", "--supplier", "acme", "--reason", "wrong", "--by", "tester")
    number = int(done.stdout.split("--undo ")[1].split("`")[0])
    assert current(connection) == before[1:]
    listed = words(supplier_risk("rollback", "--list").stdout)
    assert f"{number} suppliers acme 1 1" in listed
    assert "by tester: wrong" in listed
    undone = supplier_risk("rollback", "--undo", f"{number}")
    assert f"Rollback {number} is undone: 1 assessments" in words(undone.stdout)
    assert current(connection) == before
    again = supplier_risk("rollback", "--undo", f"{number}")
    assert again.returncode == 2
    assert "nothing changed" in words(again.stderr)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("replay --reason why", "Say which documents of suppliers are meant"),
        ("replay --supplier acme", "Say why"),
        ("replay --supplier nobody --reason why", "mentions a supplier 'nobody'"),
        ("replay --batch b --reason why", "selects all 2"),
        ("rollback --reason why", "Say which assessments and briefs are meant"),
        ("rollback --supplier acme", "Say why"),
        ("rollback --generation 9 --reason why", "There is no generation 9"),
        ("rollback --generation 2 --reason why", "still being written: 1 work items"),
        ("rollback --batch b --reason why", "selects all 4"),
        ("rollback --undo 9", "There is no rollback 9"),
        ("rollback --list --supplier acme", "take no selection"),
        ("generations compare 9", "no older generation"),
        ("generations compare 2 --base 1", "no document in common"),
        ("generations promote 9", "There is no generation 9"),
        ("generations promote 2", "still being written: 1 work items"),
        ("generations promote 2 --force", "Say why it is forced"),
        ("generations discard 1", "is the stream's, not a replay"),
    ],
)
def test_wrong_use_is_a_sentence_exit_code_2_and_no_change(
    connection: Connection, analyst: Analyst, arguments: str, complaint: str
) -> None:
    scored(connection, analyst.settings)
    open_replay(connection, analyst.settings, wish(is_fresh=True))
    before = current(connection)
    done = supplier_risk(*arguments.split())
    assert done.returncode == 2, done.stdout + done.stderr
    assert complaint in words(done.stderr)
    assert current(connection) == before
    assert count(connection, "risk.generations where status <> 'discarded'") == 2
    assert count(connection, "risk.retractions") == 0
