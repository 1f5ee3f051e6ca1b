"""Generations: a new model takes over what was still to do, and nothing is written in two names."""

from orchestration.ingestion import work_items
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring.checks import violations
from orchestration.scoring.generations import open_stream
from orchestration.settings import PostgresSettings
from tests.conftest import Analyst
from tests.scoring.endpoint import endpoint, quoting
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_texts, resolve, run
from tests.scoring.test_run import totals


def items(connection: Connection) -> list[tuple[object, ...]]:
    rows = connection.execute(
        "select step, generation_id, state, outcome, count(*) as n from risk.work_items"
        " where step <> 'mentions' group by 1, 2, 3, 4 order by 1, 2, 3, 4"
    )
    return [tuple(row.values()) for row in rows]


def test_work_that_waits_when_the_model_changes_is_done_and_signed_by_the_new_one(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL, BANKRUPTCY)
    old = open_stream(connection, "old-model")
    resolve(connection, analyst.settings, generation=old)
    (claimed,) = work_items.claim(connection, "findings", 1, 3, generation_id=old)

    new = open_stream(connection, analyst.settings.model)
    assert work_items.hold(connection, [claimed]) == set()
    assert items(connection) == [
        ("findings", old, "done", "moved", 2),
        ("findings", new, "pending", None, 2),
    ]
    assert totals(connection) == {"pending": 2}
    assert violations(connection) == {}

    run(connection, analyst.settings)
    signed = connection.execute(
        "select distinct generation_id, requests.model from risk.assessments"
        " inner join llm.responses using (response_id) inner join llm.requests using (cache_key)"
    )
    assert [tuple(row.values()) for row in signed] == [(new, analyst.settings.model)]
    assert totals(connection) == {"scored": 2}


def test_what_a_run_of_the_old_model_queues_later_is_taken_over_too(
    connection: Connection, analyst: Analyst
) -> None:
    old = open_stream(connection, "old-model")
    open_stream(connection, analyst.settings.model)
    land_texts(connection, RECALL)
    resolve(connection, analyst.settings, generation=old)
    run(connection, analyst.settings)
    assert totals(connection) == {"scored": 1}
    assert one(connection, "select count(*) as n from risk.briefs")["n"] == 1


def test_a_run_takes_nothing_of_another_generation(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    generation = open_stream(connection, "m")
    resolve(connection, analyst.settings, generation=generation)
    assert work_items.claim(connection, "findings", 9, 3, generation_id=generation + 1) == []
    assert len(work_items.claim(connection, "findings", 9, 3, generation_id=generation)) == 1


def test_a_targeted_run_that_another_model_overtakes_is_not_finished(
    connection: Connection, analyst: Analyst, database: PostgresSettings
) -> None:
    land_texts(connection, RECALL)
    resolve(connection, analyst.settings)
    overtaken: list[int] = []

    def script(prompt: str) -> tuple[int, object]:
        if not overtaken:
            with connect(database, "overtaker") as other:
                overtaken.append(open_stream(other, "another-model"))
        return 200, quoting()

    with endpoint(script) as (url, _):
        settings = analyst.settings.model_copy(update={"base_url": url})
        result = run(connection, settings, targets=["acme@MX"])
    assert "another model took it over" in result.failures["acme@MX"]
    assert totals(connection) == {"pending": 1}
