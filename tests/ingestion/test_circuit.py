"""The circuit: opened by a run that no call can succeed in, closed by the first answer."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.errors import LlmError
from orchestration.ingestion import circuit
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.run import score
from orchestration.settings import IngestSettings
from tests.conftest import Analyst
from tests.ingestion.test_landing import states
from tests.scoring.endpoint import endpoint
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_texts, resolve, run


def test_a_refused_key_opens_it_and_costs_the_backlog_nothing(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    with endpoint(lambda prompt: (401, {"error": "wrong key"})) as (url, _):
        llm = analyst.settings.model_copy(update={"base_url": url})
        with pytest.raises(LlmError, match="LLM_API_KEY"):
            run(connection, llm)
        assert "wrong key" in str(circuit.obstacle(connection, llm))
    assert circuit.obstacle(connection, analyst.settings) is None
    assert set(states(connection).values()) == {"pending"}
    assert (
        one(connection, "select max(attempts) as n from risk.work_items where state <> 'done'")["n"]
        == 0
    )


def test_the_first_answer_closes_it(connection: Connection, analyst: Analyst) -> None:
    circuit.trip(connection, analyst.settings, "away")
    land_texts(connection, RECALL)
    run(connection, analyst.settings)
    assert circuit.obstacle(connection, analyst.settings) is None
    assert one(connection, "select count(*) as n from llm.open_circuits")["n"] == 0


def test_a_run_without_a_call_proves_nothing(connection: Connection, analyst: Analyst) -> None:
    circuit.trip(connection, analyst.settings, "away")
    run(connection, analyst.settings)
    assert circuit.obstacle(connection, analyst.settings) is not None


def test_calls_without_an_answer_do_not_close_it(connection: Connection, analyst: Analyst) -> None:
    circuit.trip(connection, analyst.settings, "away")
    land_texts(connection, RECALL)
    analyst.fail_with({"kind": "server_error"})
    run(connection, analyst.settings)
    assert circuit.obstacle(connection, analyst.settings) is not None


def test_the_time_of_the_next_trial_is_told_in_utc_wherever_the_database_is(
    connection: Connection, analyst: Analyst
) -> None:
    connection.execute("set time zone 'Asia/Tokyo'")
    circuit.trip(connection, analyst.settings, "away")
    soon = {datetime.now(UTC) + timedelta(seconds=60 + n) for n in range(-5, 6)}
    told = str(circuit.obstacle(connection, analyst.settings))
    assert any(f"no run before {moment:%H:%M:%S} UTC" in told for moment in soon)


def test_what_was_done_before_an_outage_is_reported(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings, is_killed_before_events=True)
    land_texts(connection, BANKRUPTCY)
    with endpoint(lambda prompt: (401, {"error": "wrong key"})) as (url, _):
        llm = analyst.settings.model_copy(update={"base_url": url})
        resolve(connection, analyst.settings)
        result = score(connection, llm, IngestSettings(), "run", None)
    assert "wrong key" in str(result.outage)
    assert list(result.pairs) == ["acme@MX"]


def test_each_failed_trial_doubles_the_wait_up_to_a_quarter_of_an_hour(
    connection: Connection, analyst: Analyst
) -> None:
    waits = []
    for _ in range(40):
        circuit.trip(connection, analyst.settings, "away")
        row = one(
            connection,
            "select extract(epoch from trial_at - now())::int as wait from llm.open_circuits",
        )
        waits.append(row["wait"])
    assert waits[:6] == pytest.approx([60, 120, 240, 480, 900, 900], abs=2)
    assert waits[-1] == pytest.approx(900, abs=2)


def test_quota_that_is_used_up_opens_it_too(connection: Connection, analyst: Analyst) -> None:
    land_texts(connection, RECALL)
    spent = {"error": {"code": "insufficient_quota", "message": "no credit"}}
    with endpoint(lambda prompt: (429, spent)) as (url, asked):
        llm = analyst.settings.model_copy(update={"base_url": url})
        with pytest.raises(LlmError, match="credit"):
            run(connection, llm)
        assert "insufficient_quota" in str(circuit.obstacle(connection, llm))
        assert len(asked) == 1
