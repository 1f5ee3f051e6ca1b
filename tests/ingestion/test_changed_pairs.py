"""Changed pairs: reported once, again after another change, and by the next run after a crash."""

from orchestration.ingestion import changed_pairs
from orchestration.ingestion.message import Document
from orchestration.resources.postgres import Connection, one
from tests.conftest import Analyst
from tests.scoring.scenario import (
    BANKRUPTCY,
    RECALL,
    land_documents,
    land_hinted,
    land_texts,
    run,
)


def test_a_run_names_what_changed_and_striking_it_off_ends_it(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL, BANKRUPTCY)
    result = run(connection, analyst.settings, is_killed_before_events=True)
    assert set(result.changes) == set(result.pairs) == {"acme@MX", "beta@DE"}
    changed_pairs.strike(connection, result.changes)
    assert changed_pairs.unreported(connection) == {}
    assert run(connection, analyst.settings).pairs == {}


def test_what_a_killed_run_left_is_named_by_the_next(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings, is_killed_before_events=True)
    result = run(connection, analyst.settings, run_id="run-2")
    assert list(result.pairs) == ["acme@MX"]
    assert result.pairs["acme@MX"].documents == 1


def test_a_change_in_the_meantime_is_not_struck_off(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    changes = run(connection, analyst.settings, is_killed_before_events=True).changes
    pair = one(connection, "select pair_id from risk.pairs")
    changed_pairs.note(connection, [pair["pair_id"]])
    changed_pairs.strike(connection, changes)
    assert list(changed_pairs.unreported(connection)) == ["acme@MX"]


def test_a_targeted_run_strikes_off_its_own_pairs_alone(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL, BANKRUPTCY)
    run(connection, analyst.settings, is_killed_before_events=True)
    run(connection, analyst.settings, targets=["beta@DE"])
    assert list(changed_pairs.unreported(connection)) == ["acme@MX"]


def test_a_pair_that_fails_in_its_partition_is_not_reported_by_the_next_run_as_if_it_were_well(
    connection: Connection, analyst: Analyst
) -> None:
    land_hinted(connection, RECALL)
    run(connection, analyst.settings)
    land_hinted(connection, "Acme Corp recalls pumps in Mexico.", BANKRUPTCY)
    analyst.fail_with(
        {"kind": "refusal", "contains": "recalls pumps"},
        {"kind": "refusal", "contains": BANKRUPTCY},
    )
    run(connection, analyst.settings)
    failed = run(connection, analyst.settings, targets=["acme@MX", "beta@DE"])
    assert set(failed.failures) == {"acme@MX", "beta@DE"}
    assert run(connection, analyst.settings).pairs == {}


def test_a_correction_changes_the_pair_that_it_leaves_where_no_brief_says_so(
    connection: Connection, analyst: Analyst
) -> None:
    praise = "Acme Corp is praised in Mexico."
    land_documents(connection, [Document(text=praise, external_id="a")])
    assert run(connection, analyst.settings).pairs["acme@MX"].documents == 1
    land_documents(connection, [Document(text="Withdrawn.", external_id="a", version=2)])
    assert run(connection, analyst.settings).pairs["acme@MX"].documents == 0
