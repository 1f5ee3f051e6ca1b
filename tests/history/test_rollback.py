"""Rollbacks: what they cover, what counts instead, and that an undo restores it."""

import threading
from collections.abc import Sequence
from uuid import UUID

import pytest

from orchestration.errors import UsageError
from orchestration.history import rollback
from orchestration.history.promotion import promote
from orchestration.history.replay import open_replay
from orchestration.history.rollback import roll_back, undo
from orchestration.history.selection import Selection
from orchestration.ingestion import work_items
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring.checks import violations
from orchestration.settings import HistorySettings, PostgresSettings
from tests.conftest import Analyst
from tests.history.replaying import (
    ACME,
    count,
    current,
    other_model,
    replay,
    reported,
    scored,
    wish,
)
from tests.scoring.scenario import land_hinted, run
from tests.scoring.test_run import totals

ALL = Selection()


def briefs(connection: Connection) -> list[str]:
    rows = connection.execute("select supplier_id from risk.current_briefs order by 1")
    return [row["supplier_id"] for row in rows]


def take_back(connection: Connection, selection: Selection = ACME) -> rollback.Retraction:
    return roll_back(connection, selection, "the answers were wrong", "tester")


def promoted(connection: Connection, analyst: Analyst) -> int:
    """A second generation of both documents that counts."""
    with other_model(analyst.settings) as (llm, _):
        opened, _ = replay(connection, llm, wish(ALL, model="b", everything=True))
    promote(connection, opened.generation_id, "tester", HistorySettings())
    connection.execute("delete from risk.unreported_pairs")
    return opened.generation_id


def test_what_is_taken_back_counts_no_more_and_an_undo_restores_it(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    before = current(connection)
    taken = take_back(connection)
    assert (taken.assessments, taken.briefs, taken.pairs) == (1, 1, ["acme@MX"])
    assert taken.instead == {None: 1}
    assert current(connection) == before[1:]
    assert briefs(connection) == ["beta"]
    assert totals(connection) == {"scored": 2}, "a rollback changes no document's state"
    note = reported(connection)["acme@MX"]
    assert note == "rollback 1 by tester: the answers were wrong"
    assert taken.retraction_id
    undo(connection, taken.retraction_id, "tester")
    assert current(connection) == before
    assert briefs(connection) == ["acme", "beta"]
    assert "rollback 1 was undone by tester" in (reported(connection)["acme@MX"] or "")
    assert violations(connection) == {}


def test_a_plan_says_what_becomes_current_instead_and_changes_nothing(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    generation = promoted(connection, analyst)
    before = current(connection)
    planned = rollback.plan(connection, Selection(generations=(generation,)))
    assert (planned.assessments, planned.briefs, planned.instead) == (2, 2, {1: 2})
    assert planned.retraction_id is None
    assert count(connection, "risk.retractions") == 0
    assert (current(connection), reported(connection)) == (before, {})


def test_of_two_rollbacks_of_one_answer_the_undo_of_one_leaves_the_other(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    before = current(connection)
    first, second = take_back(connection), take_back(connection, Selection(countries=("MX",)))
    assert first.retraction_id
    assert second.retraction_id
    undone = undo(connection, first.retraction_id, "tester")
    assert undone.instead == {None: 1}
    assert current(connection) == before[1:]
    undo(connection, second.retraction_id, "tester")
    assert current(connection) == before
    listed = rollback.retractions(connection)
    assert [(row["retraction_id"], row["assessments"], row["briefs"]) for row in listed] == [
        (2, 1, 1),
        (1, 1, 1),
    ]


@pytest.mark.parametrize(
    ("part", "value", "covered"),
    [
        ("suppliers", ("acme",), (2, 2)),
        ("models", ("b",), (2, 2)),
        ("runs", ("replay",), (2, 2)),
        ("generations", (1,), (2, 2)),
        ("documents", None, (2, 2)),
        ("prompt_versions", None, (0, 4)),
    ],
)
def test_each_part_of_a_selection_takes_back_its_own(
    connection: Connection,
    analyst: Analyst,
    part: str,
    value: Sequence[object] | None,
    covered: tuple[int, int],
) -> None:
    scored(connection, analyst.settings)
    promoted(connection, analyst)
    if part == "documents":
        row = one(connection, "select document_id from risk.mentions where supplier_id = 'acme'")
        value = (UUID(str(row["document_id"])),)
    if part == "prompt_versions":
        row = one(connection, "select prompt_versions from risk.generations limit 1")
        value = (row["prompt_versions"]["risk_briefs"],)
    taken = take_back(connection, Selection(**{part: value}))  # type: ignore[arg-type]
    assert (taken.assessments, taken.briefs) == covered
    assert violations(connection) == {}


@pytest.mark.parametrize(
    ("selection", "complaint"),
    [
        (ALL, "Say which assessments and briefs are meant"),
        (Selection(suppliers=("nobody",)), "No document mentions a supplier 'nobody'"),
        (Selection(generations=(9,)), "There is no generation 9"),
        (Selection(runs=("run-1",)), "selects all 4"),
        (Selection(states=("unverified",)), "Nothing is selected"),
    ],
)
def test_a_rollback_of_nothing_of_everything_or_of_what_is_unknown_changes_nothing(
    connection: Connection, analyst: Analyst, selection: Selection, complaint: str
) -> None:
    scored(connection, analyst.settings)
    before = current(connection)
    with pytest.raises(UsageError, match=complaint):
        take_back(connection, selection)
    assert current(connection) == before
    assert count(connection, "risk.retractions") == 0


def test_a_rollback_without_a_reason_an_undo_twice_and_an_undo_of_none_are_refused(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    with pytest.raises(UsageError, match="Say why"):
        roll_back(connection, ACME, "  ", "tester")
    taken = take_back(connection)
    assert taken.retraction_id
    undo(connection, taken.retraction_id, "tester")
    before = current(connection)
    with pytest.raises(UsageError, match="was undone by tester at"):
        undo(connection, taken.retraction_id, "tester")
    with pytest.raises(UsageError, match="There is no rollback 9"):
        undo(connection, 9, "tester")
    assert current(connection) == before


def test_a_generation_that_is_still_written_is_not_taken_back(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    opened = open_replay(connection, analyst.settings, wish(is_fresh=True))
    shadow = Selection(generations=(opened.generation_id,))
    with pytest.raises(UsageError, match="Generation 2 is still being written: 1 work items"):
        take_back(connection, shadow)
    land_hinted(connection, "Acme Corp recalls hoses in Mexico.")
    run(connection, analyst.settings, run_id="run-2")
    land_hinted(connection, "Acme Corp recalls pipes in Mexico.")
    connection.execute(
        "insert into risk.work_items (subject_type, subject_id, step, generation_id)"
        " values ('mention', gen_random_uuid(), 'findings', 1)"
    )
    work_items.claim(connection, "findings", 1, 3, generation_id=1)
    with pytest.raises(UsageError, match="Generation 1 is still being written"):
        take_back(connection, Selection(generations=(1,)))
    assert count(connection, "risk.retractions") == 0


def test_a_rollback_while_a_replay_runs_covers_what_is_there_and_loses_nothing(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    land_hinted(connection, *(f"Acme Corp recalls {n} valves in Mexico." for n in range(30)))
    run(connection, analyst.settings)
    written = count(connection, "risk.assessments")

    def replay_all() -> None:
        with connect(database, "operator") as mine:
            replay(mine, analyst.settings, wish(ALL, is_fresh=True, everything=True))

    other = threading.Thread(target=replay_all)
    other.start()
    while count(connection, "risk.assessments") == written:
        pass
    taken = roll_back(connection, ACME, "in the middle", "tester", everything=True)
    other.join()
    total = count(connection, "risk.assessments")
    assert total == 60, "the replay wrote all that it had to"
    assert written < taken.assessments <= total
    covered = one(
        connection,
        "select count(*) as n from risk.active_retractions where assessment_id is not null",
    )
    assert covered["n"] == taken.assessments
    assert taken.retraction_id
    undo(connection, taken.retraction_id, "tester")
    assert count(connection, "risk.current_assessments") == 30
    assert violations(connection) == {}
