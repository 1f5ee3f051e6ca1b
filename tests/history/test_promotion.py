"""Promotions, discards, comparisons: what becomes of a replay's generation, and what it gave."""

import pytest

from orchestration.errors import UsageError
from orchestration.history.comparison import compare, natural_base
from orchestration.history.promotion import discard, generations, promote
from orchestration.history.replay import open_replay
from orchestration.history.replay_work import work
from orchestration.history.selection import Selection
from orchestration.resources.postgres import Connection
from orchestration.scoring.checks import violations
from orchestration.settings import HistorySettings, IngestSettings
from tests.conftest import Analyst
from tests.history.replaying import count, current, other_model, replay, reported, scored, wish

ALL = Selection()


def shadow(connection: Connection, analyst: Analyst) -> int:
    """Both documents as another model reads them, not promoted."""
    scored(connection, analyst.settings)
    with other_model(analyst.settings) as (llm, _):
        opened, _ = replay(connection, llm, wish(ALL, model="b", everything=True))
    connection.execute("delete from risk.unreported_pairs")
    return opened.generation_id


def test_two_generations_are_compared_on_what_both_have_read(
    connection: Connection, analyst: Analyst
) -> None:
    generation = shadow(connection, analyst)
    assert natural_base(connection, generation) == 1
    found = compare(connection, 1, generation)
    assert (found.documents, found.judged, found.agreed) == (2, 2, 1)
    # a recall of level 2 in both documents, where the stream saw one, and an insolvency
    assert (found.base_findings, found.findings, found.gained, found.lost) == (2, 2, 1, 1)
    assert found.agreement == 0.5
    assert found.cost_usd is None, "nobody knows the price of model b"
    assert found.metadata()["cost_usd"] == "unknown"
    assert found.metadata()["base_cost_usd"] == 0


def test_a_generation_equals_itself_asked_anew(connection: Connection, analyst: Analyst) -> None:
    scored(connection, analyst.settings)
    opened, _ = replay(connection, analyst.settings, wish(is_fresh=True))
    found = compare(connection, 1, opened.generation_id)
    assert (found.documents, found.judged, found.agreed) == (1, 1, 1)
    assert (found.gained, found.lost, found.agreement) == (0, 0, 1)


def test_what_has_nothing_in_common_is_not_compared(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    opened = open_replay(connection, analyst.settings, wish(is_fresh=True))
    with pytest.raises(UsageError, match="no document in common"):
        compare(connection, 1, opened.generation_id)
    with pytest.raises(UsageError, match="There is no generation 7"):
        compare(connection, 1, 7)


def test_a_discarded_generation_counts_no_more_and_its_work_is_not_done(
    connection: Connection, analyst: Analyst
) -> None:
    generation = shadow(connection, analyst)
    before = current(connection)
    promote(connection, generation, "tester", HistorySettings())
    assert current(connection) != before
    assert discard(connection, generation, "tester", "too mild") == 2
    assert current(connection) == before
    assert reported(connection) == dict.fromkeys(
        ("acme@MX", "beta@DE"), f"generation {generation} was discarded by tester: too mild"
    )
    opened = open_replay(connection, analyst.settings, wish(is_fresh=True))
    discard(connection, opened.generation_id, "tester", "never mind")
    assert count(connection, "risk.work_items where state <> 'done'") == 0
    assert violations(connection) == {}


def test_only_a_shadow_whose_work_is_done_is_promoted(
    connection: Connection, analyst: Analyst
) -> None:
    generation = shadow(connection, analyst)
    opened = open_replay(connection, analyst.settings, wish(is_fresh=True))
    for generation_id, complaint in (
        (opened.generation_id, "still being written: 1 work items"),
        (1, "Generation 1 is live"),
        (9, "There is no generation 9"),
    ):
        with pytest.raises(UsageError, match=complaint):
            promote(connection, generation_id, "tester", HistorySettings())
    with pytest.raises(UsageError, match="is the stream's, not a replay"):
        discard(connection, 1, "tester", "")
    discard(connection, generation, "tester", "")
    with pytest.raises(UsageError, match="was discarded before"):
        discard(connection, generation, "tester", "")
    with pytest.raises(UsageError, match="is discarded; only a shadow"):
        promote(connection, generation, "tester", HistorySettings())


def test_a_generation_that_people_disagree_with_needs_a_reason(
    connection: Connection, analyst: Analyst
) -> None:
    generation = shadow(connection, analyst)
    connection.execute(
        "insert into risk.labels (finding_id, verdict, made_by)"
        " select finding_id, case when ordinal = 0 then 'disagree' else 'agree' end, 'buyer'"
        " from risk.findings inner join risk.assessments using (assessment_id)"
        " where generation_id = %s",
        [generation],
    )
    strict = HistorySettings(min_labels=2)
    with pytest.raises(UsageError, match=r"People agree with 0 of 2 .*--force"):
        promote(connection, generation, "tester", strict)
    promote(connection, generation, "tester", strict, forced_because="they were drunk")
    row = generations(connection)[0]
    assert (row["status"], row["decided_by"]) == ("live", "tester")
    assert row["decision"].startswith("forced: they were drunk (People agree with 0 of 2")


def test_too_few_labels_are_no_reason_to_refuse_a_generation(
    connection: Connection, analyst: Analyst
) -> None:
    generation = shadow(connection, analyst)
    connection.execute(
        "insert into risk.labels (finding_id, verdict, made_by)"
        " select finding_id, 'disagree', 'buyer' from risk.findings"
    )
    promote(connection, generation, "tester", HistorySettings(min_labels=3))
    assert generations(connection)[0]["status"] == "live"


def test_the_list_counts_what_each_generation_wrote_left_open_and_cost(
    connection: Connection, analyst: Analyst
) -> None:
    generation = shadow(connection, analyst)
    analyst.fail_with({"kind": "refusal", "times": 9, "contains": "valves"})
    opened = open_replay(connection, analyst.settings, wish(is_fresh=True, reason="to see"))
    work(connection, analyst.settings, IngestSettings(), "third", opened.generation_id)
    open_replay(connection, analyst.settings, wish(is_fresh=True))
    listed = [
        (
            r["generation_id"],
            r["kind"],
            r["status"],
            r["assessments"],
            r["open_items"],
            r["dead_items"],
            r["calls"],
            r["cost_usd"],
        )
        for r in generations(connection)
    ]
    assert listed == [
        (4, "replay", "shadow", 0, 1, 0, 0, 0),
        (3, "replay", "shadow", 0, 0, 1, 1, 0),
        (generation, "replay", "shadow", 2, 0, 0, 4, None),
        (1, "stream", "live", 2, 0, 0, 4, 0),
    ]
    assert generations(connection)[1]["reason"] == "to see"
