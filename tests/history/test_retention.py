"""`supplier-risk purge`: bodies go, what proves and what was paid stays, and asking again works."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import psycopg
import pytest

from orchestration.history import retention
from orchestration.history.retention_job import purge_bodies, purge_schedule
from orchestration.ingestion.words import take_words
from orchestration.resources.dagster import Postgres
from orchestration.resources.postgres import Connection, one
from orchestration.scoring import ledger
from orchestration.scoring.checks import violations
from orchestration.scoring.generations import open_stream
from orchestration.scoring.status import status
from orchestration.settings import PostgresSettings
from tests.conftest import Analyst
from tests.migrations.test_roles import connect_as
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_texts, run
from tests.test_cli import supplier_risk

PAIRS = ["acme@MX", "beta@DE"]


@pytest.fixture
def old(
    connection: Connection,
    analyst: Analyst,
    database: PostgresSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two documents that were asked about 40 days ago; bodies are kept for 30 days."""
    land_texts(connection, RECALL, BANKRUPTCY)
    run(connection, analyst.settings)
    take_words(connection)
    with connect_as(database, "migrator") as owner:
        for table, column in (
            *(("requests", "created_at"), ("responses", "created_at")),
            ("attempts", "started_at"),
        ):
            owner.execute(f"update llm.{table} set {column} = {column} - interval '40 days'")
        owner.execute("delete from llm.budget")
    monkeypatch.setenv("HISTORY_KEEP_PROMPTS_DAYS", "30")
    monkeypatch.setenv("HISTORY_KEEP_ANSWERS_DAYS", "30")


def bodies(connection: Connection) -> Mapping[str, Any]:
    return one(
        connection,
        "select (select count(messages) from llm.requests) as prompts, count(answer) as answers,"
        " count(raw_body) as raw, (select count(*) from llm.response_words) as words,"
        " count(purged_at) as purged from llm.responses",
    )


@pytest.mark.usefixtures("old")
def test_a_purge_takes_bodies_and_leaves_hashes_outcomes_and_costs(connection: Connection) -> None:
    kept = (
        "select response_id, outcome, cache_key, input_tokens, cost_usd, {} as sha256"
        " from llm.responses inner join llm.attempts using (attempt_id, cache_key, outcome)"
        " order by response_id"
    )
    before = connection.execute(kept.format("sha256(raw_body)")).fetchall()
    totals = status(connection)["totals"]
    count = one(connection, "select count(*) as n from llm.responses")["n"]
    asked = supplier_risk("purge", "--dry-run")
    assert f"{count} prompts of before" in asked.stdout
    assert "would be purged" in asked.stdout
    assert bodies(connection)["raw"] == bodies(connection)["words"] == count
    done = supplier_risk("purge")
    assert done.returncode == 0, done.stderr
    assert f"{count} answers of before" in done.stdout
    assert bodies(connection) == dict.fromkeys(("prompts", "answers", "raw", "words"), 0) | {
        "purged": count
    }
    assert connection.execute(kept.format("raw_sha256")).fetchall() == before
    assert status(connection)["totals"] == totals
    assert violations(connection) == {}


@pytest.mark.usefixtures("old")
def test_a_second_purge_does_nothing_and_small_batches_reach_everything(
    connection: Connection,
) -> None:
    wanted = retention.Limits(
        one(connection, "select now() as t")["t"], one(connection, "select now() as t")["t"]
    )
    expected = retention.count(connection, wanted)
    assert min(expected.values()) > 2
    assert retention.purge(connection, wanted, batch=1) == expected
    assert retention.purge(connection, wanted) == dict.fromkeys(expected, 0)


@pytest.mark.usefixtures("old")
def test_asking_again_after_a_purge_pays_once_more_and_is_kept(
    connection: Connection, analyst: Analyst
) -> None:
    supplier_risk("purge")
    served = analyst.served()
    open_stream(connection, "a model in between")
    run(connection, analyst.settings, targets=PAIRS, run_id="again")
    paid = analyst.served() - served
    assert paid > 0
    assert bodies(connection)["answers"] == bodies(connection)["prompts"] == paid
    open_stream(connection, "a model in between")
    run(connection, analyst.settings, targets=PAIRS, run_id="from the cache")
    assert analyst.served() - served == paid
    assert violations(connection) == {}
    supplier_risk("purge")
    assert bodies(connection)["prompts"] == paid, "what was asked again is as old as its attempt"


@pytest.mark.usefixtures("old")
def test_a_purged_call_is_shown_as_purged(connection: Connection) -> None:
    supplier_risk("purge")
    shown = supplier_risk("call", "1")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("(purged") == 2
    found = ledger.find_call(connection, 1)
    assert found is not None
    assert found["messages"] is None


def test_without_a_setting_nothing_is_purged_and_the_settings_are_named(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, RECALL)
    run(connection, analyst.settings)
    done = supplier_risk("purge")
    assert done.returncode == 0
    assert "HISTORY_KEEP_PROMPTS_DAYS, HISTORY_KEEP_ANSWERS_DAYS" in done.stdout
    assert bodies(connection)["purged"] == 0
    skipped = purge_schedule(dg.build_schedule_context())
    assert isinstance(skipped, dg.SkipReason)
    assert "HISTORY_KEEP_PROMPTS_DAYS" in str(skipped.skip_message)


@pytest.mark.usefixtures("old")
def test_one_setting_alone_leaves_the_other_bodies(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HISTORY_KEEP_ANSWERS_DAYS")
    supplier_risk("purge")
    assert bodies(connection)["prompts"] == 0
    assert bodies(connection)["purged"] == 0


@pytest.mark.usefixtures("old")
def test_the_schedule_requests_the_job_and_the_job_purges(connection: Connection) -> None:
    assert isinstance(purge_schedule(dg.build_schedule_context()), dg.RunRequest)
    done = purge_bodies.execute_in_process(resources={"postgres": Postgres()})
    assert done.success
    assert bodies(connection)["raw"] == 0


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(
    "statement",
    [
        "update llm.responses set answer = 'better'",
        "update llm.responses set raw_body = ''",
        "update llm.requests set messages = '[]'",
    ],
)
def test_who_may_purge_may_not_rewrite(connection: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never be changed"):
        connection.execute(statement)


def test_a_setting_that_is_no_number_of_days_is_named(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HISTORY_KEEP_PROMPTS_DAYS", "soon")
    done = supplier_risk("purge")
    assert done.returncode == 2
    assert "HISTORY_KEEP_PROMPTS_DAYS is wrong" in done.stderr
