"""Replays: what they ask, what they leave alone, and who may open them."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from orchestration.errors import UsageError
from orchestration.history import replay_work
from orchestration.history.promotion import promote
from orchestration.history.replay import Wish, open_replay, plan
from orchestration.history.selection import Selection
from orchestration.ingestion import work_items
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring.checks import violations
from orchestration.settings import HistorySettings, IngestSettings, PostgresSettings
from tests.conftest import Analyst
from tests.history.replaying import count, current, other_model, replay, reported, scored, wish
from tests.migrations.test_roles import connect_as
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_hinted, resolve, run
from tests.scoring.test_run import totals

ALL = Selection()


def test_a_plan_says_what_is_left_to_pay_and_writes_nothing(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    priced = analyst.settings.model_copy(
        update={"input_usd_per_million": 2.0, "output_usd_per_million": 8.0}
    )
    asked = analyst.served()
    again = plan(connection, priced, wish())
    assert (again.mentions, again.pairs, again.done, again.calls) == (1, 1, 1, 0)
    assert again.cost_usd == 0
    anew = plan(connection, priced, wish(is_fresh=True))
    assert (anew.done, anew.calls, anew.from_cache, anew.generation_id) == (0, 1, 0, None)
    assert anew.input_tokens > 100
    assert 0 < float(anew.cost_usd or 0) < 1
    everything = plan(connection, priced, wish(ALL, model="another", everything=True))
    assert (everything.mentions, everything.calls, everything.cost_usd) == (2, 2, None)
    assert (analyst.served(), count(connection, "risk.generations")) == (asked, 1)


def test_the_stream_s_own_prompts_and_model_pay_nothing_and_write_nothing(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    asked, before = analyst.served(), current(connection)
    opened, done = replay(connection, analyst.settings, wish(ALL, everything=True))
    assert (opened.kind, opened.mentions, done.pairs_left) == ("stream", 2, 0)
    assert (analyst.served(), current(connection)) == (asked, before)
    assert count(connection, "risk.generations") == 1


def test_asked_anew_it_is_paid_once_more_in_a_shadow_that_counts_when_it_is_promoted(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    asked, before = analyst.served(), current(connection)
    opened, done = replay(connection, analyst.settings, wish(is_fresh=True))
    assert (opened.kind, done.status) == ("replay", "shadow")
    assert analyst.served() == asked + 2  # the finding and the brief
    assert current(connection) == before
    assert done.result.pairs.keys() == {"acme@MX"}
    brief = one(connection, "select finding_ids from risk.briefs order by brief_id desc limit 1")
    newest = one(connection, "select max(finding_id) as id from risk.findings")
    assert brief["finding_ids"] == [newest["id"]], "a replay's brief cites the replay's findings"
    again, _ = replay(connection, analyst.settings, wish(is_fresh=True), "again")
    assert analyst.served() == asked + 4
    promote(connection, again.generation_id, "tester", HistorySettings())
    counts = one(
        connection,
        "select generation_id from risk.current_assessments"
        " inner join risk.mentions using (mention_id)"
        " where supplier_id = 'acme'",
    )
    assert counts["generation_id"] == again.generation_id
    assert "was promoted by tester" in (reported(connection)["acme@MX"] or "")
    assert violations(connection) == {}


def test_another_model_leaves_what_counts_alone_until_it_is_promoted(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    before = current(connection)
    with other_model(analyst.settings) as (llm, asked):
        opened, _ = replay(connection, llm, wish(ALL, model="b", everything=True))
    assert len(asked) == 4
    assert current(connection) == before
    assert totals(connection) == {"scored": 2}
    promote(connection, opened.generation_id, "tester", HistorySettings())
    assert current(connection) == [
        ("acme", "operational", 2, "b"),
        ("beta", "operational", 2, "b"),
    ]
    assert violations(connection) == {}


def test_a_second_replay_with_the_same_model_is_answered_by_the_cache(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    with other_model(analyst.settings) as (llm, asked):
        replay(connection, llm, wish(model="b"))
        first = len(asked)
        planned = plan(connection, llm, wish(model="b"))
        assert (planned.calls, planned.from_cache) == (0, 1)
        opened, _ = replay(connection, llm, wish(model="b"), "again")
    assert len(asked) == first
    assert opened.generation_id == 3


def test_what_is_dead_is_read_by_another_model_and_stays_a_dead_letter_in_the_shadow(
    connection: Connection, analyst: Analyst
) -> None:
    analyst.fail_with({"kind": "refusal", "times": 99, "contains": "valves"})
    land_hinted(connection, RECALL, BANKRUPTCY)
    run(connection, analyst.settings)
    assert totals(connection) == {"dead": 1, "scored": 1}
    dead = "risk.dead_letters where state = 'open'"
    for states in (("dead",), ("refused",)):
        assert plan(connection, analyst.settings, wish(Selection(states=states))).mentions == 1
    with other_model(analyst.settings) as (llm, _):
        opened, _ = replay(connection, llm, wish(Selection(states=("refused",)), model="b"))
    assert count(connection, dead) == 1
    promote(connection, opened.generation_id, "tester", HistorySettings())
    assert count(connection, dead) == 0
    assert ("acme", "operational", 2, "b") in current(connection)
    assert totals(connection) == {"dead": 1, "scored": 1}, "a replay changes no document's state"


def test_what_is_dead_is_tried_again_with_the_stream_s_model(
    connection: Connection, analyst: Analyst
) -> None:
    analyst.fail_with({"kind": "refusal", "times": 1, "contains": "valves"})
    land_hinted(connection, RECALL, BANKRUPTCY)
    run(connection, analyst.settings)
    opened, done = replay(connection, analyst.settings, wish(Selection(states=("dead",))))
    assert opened.kind == "stream"
    assert done.report.outcomes["scored"] == 1
    assert totals(connection) == {"scored": 2}


def test_a_failure_in_a_replay_stays_there_and_tempts_no_scoring_run(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    analyst.fail_with({"kind": "refusal", "times": 99, "contains": "valves"})
    opened = open_replay(connection, analyst.settings, wish(is_fresh=True))
    assert not work_items.has_claimable(connection)
    assert replay_work.waiting(connection) == replay_work.Waiting(
        opened.generation_id, analyst.settings.model
    )
    done = replay_work.work(
        connection, analyst.settings, IngestSettings(), "replay", opened.generation_id
    )
    assert (done.dead, done.pairs_left) == ({"refusal": 1}, 0)
    assert count(connection, "risk.dead_letters") == 0
    assert totals(connection) == {"scored": 2}
    assert replay_work.waiting(connection) is None


def test_a_run_takes_so_many_pairs_and_the_next_one_goes_on(
    connection: Connection, analyst: Analyst
) -> None:
    scored(connection, analyst.settings)
    everything = wish(ALL, is_fresh=True, everything=True)
    opened = open_replay(connection, analyst.settings, everything)
    left = []
    for number in range(2):
        done = replay_work.work(
            connection, analyst.settings, IngestSettings(), f"{number}", opened.generation_id, 1
        )
        left.append((list(done.result.pairs), done.pairs_left))
    assert left == [(["acme@MX"], 1), (["beta@DE"], 0)]


def test_each_part_of_a_selection_narrows_it(connection: Connection, analyst: Analyst) -> None:
    scored(connection, analyst.settings)
    land_hinted(connection, "Acme Corp recalls hoses in Mexico.")
    resolve(connection, analyst.settings)
    document = one(connection, "select document_id from ingest.documents where body = %s", [RECALL])
    generation = one(connection, "select * from risk.generations")
    prompt_version = generation["prompt_versions"]["risk_findings"]
    selections = {
        "supplier": Selection(suppliers=("beta",)),
        "country": Selection(countries=("DE",)),
        "document": Selection(documents=(document["document_id"],)),
        "generation": Selection(generations=(1,)),
        "run": Selection(runs=("run-1",)),
        "model": Selection(models=(analyst.settings.model,)),
        "prompt version": Selection(prompt_versions=(prompt_version,)),
        "both": Selection(suppliers=("acme",), runs=("run-1",)),
    }
    counts = {
        name: plan(connection, analyst.settings, wish(selection)).mentions
        for name, selection in selections.items()
    }
    soon = datetime.now(UTC) + timedelta(hours=1)
    for selection, complaint in (
        (Selection(batches=("b",)), "selects all 3"),
        (Selection(before=soon), "selects all 3"),
        (Selection(since=soon), "Nothing is selected"),
    ):
        with pytest.raises(UsageError, match=complaint):
            plan(connection, analyst.settings, wish(selection))
    assert counts == {
        "supplier": 1,
        "country": 1,
        "document": 1,
        "generation": 2,
        "run": 2,
        "model": 2,
        "prompt version": 2,
        "both": 1,
    }


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (wish(ALL), "Say which documents of suppliers are meant"),
        (wish(Selection(suppliers=("nobody",))), "No document mentions a supplier 'nobody'"),
        (wish(Selection(generations=(99,))), "There is no generation 99"),
        (wish(Selection(models=("gpt-0",))), "No generation is of a model 'gpt-0'"),
        (wish(Selection(documents=(uuid4(),))), "There is no document"),
        (wish(Selection(states=("tired",))), "There is no state 'tired'"),
        (wish(Selection(states=("unverified",))), "Nothing is selected"),
        (wish(Selection(batches=("b",))), "selects all 2"),
        (wish(reason=" "), "Say why"),
    ],
)
def test_a_replay_of_nothing_of_everything_or_of_what_is_unknown_is_refused(
    connection: Connection, analyst: Analyst, wanted: Wish, complaint: str
) -> None:
    scored(connection, analyst.settings)
    with pytest.raises(UsageError, match=complaint):
        open_replay(connection, analyst.settings, wanted)
    assert count(connection, "risk.generations") == 1


def test_a_generation_that_was_discarded_or_has_other_prompts_is_not_written_to(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    scored(connection, analyst.settings)
    opened = open_replay(connection, analyst.settings, wish(is_fresh=True))
    connection.execute("update risk.generations set status = 'discarded' where generation_id = 2")
    for generation_id, complaint in ((opened.generation_id, "was discarded"), (9, "no generation")):
        with pytest.raises(UsageError, match=complaint):
            replay_work.work(connection, analyst.settings, IngestSettings(), "late", generation_id)
    assert replay_work.waiting(connection) is None


def test_no_run_is_wanted_for_a_replay_whose_prompts_are_not_those_of_today(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    scored(connection, analyst.settings)
    opened = open_replay(connection, analyst.settings, wish(is_fresh=True))
    assert replay_work.waiting(connection) is not None
    with connect_as(database, "migrator") as owner:
        owner.execute(
            'update risk.generations set prompt_versions = \'{"risk_findings": "old"}\''
            " where generation_id = %s",
            [opened.generation_id],
        )
    assert replay_work.waiting(connection) is None
    with pytest.raises(UsageError, match="was opened with other prompts"):
        replay_work.work(
            connection, analyst.settings, IngestSettings(), "late", opened.generation_id
        )


def test_two_replays_of_one_pair_at_once_lose_no_row_and_pay_no_answer_twice(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    land_hinted(connection, *(f"Acme Corp recalls {n} valves in Mexico." for n in range(20)))
    run(connection, analyst.settings)
    asked = analyst.served()
    generations = [
        open_replay(
            connection, analyst.settings, wish(is_fresh=True, everything=True)
        ).generation_id
        for _ in range(2)
    ]

    def two_runs_each(generation_id: int) -> None:
        with connect(database, "operator") as mine:
            replay_work.work(mine, analyst.settings, IngestSettings(), "operator", generation_id)

    threads = [
        threading.Thread(target=two_runs_each, args=[generation]) for generation in generations * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = connection.execute(
        "select generation_id, count(*) as n from risk.assessments"
        " where generation_id = any(%s) group by 1 order by 1",
        [generations],
    )
    assert [tuple(row.values()) for row in rows] == [(g, 20) for g in generations]
    assert count(connection, "risk.work_items where state <> 'done'") == 0
    assert analyst.served() == asked + 2 * (20 + 1), "one finding each, one brief each"
    assert violations(connection) == {}
