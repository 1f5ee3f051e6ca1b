"""Budgets: no call that could cost more than what is left, and a run that says why it stopped."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from orchestration.errors import LlmError
from orchestration.ingestion import budget
from orchestration.ingestion.budget import BudgetReached
from orchestration.resources.llm import CallFailed
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring import ledger, prompts
from orchestration.scoring.asking import Asking
from orchestration.scoring.attempts import Attempt, failed_attempt
from orchestration.scoring.calls import Call
from orchestration.scoring.checks import violations
from orchestration.scoring.engine import answer_all
from orchestration.settings import LlmSettings, PostgresSettings
from tests.conftest import Analyst
from tests.scoring.scenario import land_texts, resolve, run
from tests.scoring.test_outage import land_recalls
from tests.scoring.test_run import totals


def priced(settings: LlmSettings, **changes: object) -> LlmSettings:
    """A dollar for a million tokens, both ways."""
    prices = {"input_usd_per_million": 1.0, "output_usd_per_million": 1.0, "concurrency": 4}
    return settings.model_copy(update={**prices, "max_output_tokens": 2_000, **changes})


def spent(connection: Connection, scope: str) -> Decimal:
    """Settled and reserved, as the tables have it."""
    row = one(
        connection,
        "select coalesce(sum(settled_usd + reserved_usd), 0) as used from llm.budget"
        " where scope = %s",
        [scope],
    )
    return Decimal(row["used"])


@pytest.mark.parametrize("scope", ["day", "run"])
def test_a_run_stops_before_its_budget_is_exceeded_and_what_waits_stays_pending(
    connection: Connection, analyst: Analyst, scope: str
) -> None:
    land_recalls(connection, 40)
    limit = Decimal("0.03")
    stingy = priced(analyst.settings, **{f"budget_usd_per_{scope}": limit})
    result = run(connection, stingy)
    assert result.stopped is not None
    assert f"the budget of the {scope} is used up" in result.stopped
    assert f"LLM_BUDGET_USD_PER_{scope.upper()}" in result.stopped
    assert result.outstanding[0] == result.stopped
    assert result.outage is None
    found = totals(connection)
    assert found["scored"] + found["pending"] == 40
    assert found["scored"] >= 5
    assert found["pending"] >= 5
    waiting = "select max(attempts) as n from risk.work_items where state = 'pending'"
    assert one(connection, waiting)["n"] == 0
    assert limit / 2 < spent(connection, scope) <= limit
    assert violations(connection) == {}

    generous = priced(analyst.settings, **{f"budget_usd_per_{scope}": Decimal(1)})
    assert budget.obstacle(connection, generous, "run-1") is None
    assert run(connection, generous).stopped is None
    assert totals(connection) == {"scored": 40}
    assert violations(connection) == {}


def test_the_next_run_has_a_budget_of_its_own_and_the_next_day_too(
    connection: Connection, analyst: Analyst
) -> None:
    land_recalls(connection, 30)
    settings = priced(
        analyst.settings, budget_usd_per_run=Decimal("0.013"), budget_usd_per_day=Decimal("0.017")
    )
    first = run(connection, settings, run_id="run-1")
    assert first.stopped is not None
    assert "budget of the run" in first.stopped
    second = run(connection, settings, run_id="run-2")
    assert second.stopped is not None
    assert "budget of the day" in second.stopped
    assert budget.obstacle(connection, settings) == second.stopped
    connection.execute("update llm.budget set period = '2020-01-01' where scope = 'day'")
    assert budget.obstacle(connection, settings) is None


def test_targeted_pairs_that_a_budget_left_open_are_failures_with_the_reason(
    connection: Connection, analyst: Analyst
) -> None:
    land_recalls(connection, 3)
    settings = priced(analyst.settings, budget_usd_per_day=Decimal("0.00001"))
    run(connection, settings)
    result = run(connection, settings, targets=["acme@MX"])
    assert list(result.failures) == ["acme@MX"]
    assert result.stopped is not None
    assert "budget of the day" in result.stopped


def test_mentions_that_a_budget_left_open_stay_pending_and_say_why(
    connection: Connection, analyst: Analyst
) -> None:
    land_texts(connection, *(f"Acme recalls {n} valves in Mexico." for n in range(6)))
    result = resolve(connection, priced(analyst.settings, budget_usd_per_day=Decimal("0.00001")))
    assert result.stopped is not None
    assert "budget of the day" in result.stopped
    assert totals(connection) == {"pending": 6}
    assert one(connection, "select max(attempts) as n from risk.work_items")["n"] == 0
    assert one(connection, "select count(*) as n from llm.open_circuits")["n"] == 0
    assert resolve(connection, priced(analyst.settings)).asked == 6
    assert violations(connection) == {}


def test_what_the_cache_knows_is_answered_without_a_budget(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    settings = priced(analyst.settings)
    asked = call(settings, item_id, "Acme recalls valves.")
    answer_all(connection, settings, [asked], "run-1")
    broke = priced(analyst.settings, budget_usd_per_day=Decimal("0.0000001"))
    again = call(broke, item_id, "Acme recalls valves.")
    assert answer_all(connection, broke, [again], "run-2")[again.cache_key].calls == 0
    with pytest.raises(BudgetReached, match=r"of 0[.]0000001 US dollars"):
        answer_all(connection, broke, [call(broke, item_id, "Acme burns.")], "run-2")


def test_runs_at_once_never_spend_more_than_the_day_has(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    limit = Decimal("0.05")
    settings = priced(analyst.settings, budget_usd_per_day=limit, concurrency=8)

    def ask(number: int) -> str:
        calls = [call(settings, item_id, f"Acme recalls {number} {n}.") for n in range(60)]
        with (
            connect(PostgresSettings.load(), "pipeline") as own,
            pytest.raises(BudgetReached) as stopped,
        ):
            answer_all(own, settings, calls, f"run-{number}")
        return str(stopped.value)

    with ThreadPoolExecutor(3) as pool:
        reasons = list(pool.map(ask, range(3)))
    assert all("budget of the day" in reason for reason in reasons)
    row = one(connection, "select reserved_usd, settled_usd from llm.budget where scope = 'day'")
    assert row["reserved_usd"] == 0
    assert limit * 3 / 4 < row["settled_usd"] <= limit
    assert violations(connection) == {}


def test_a_budget_for_a_model_without_a_price_is_refused_with_what_to_do(
    connection: Connection, analyst: Analyst
) -> None:
    land_recalls(connection, 2)
    unpriced = analyst.settings.model_copy(
        update={
            "input_usd_per_million": None,
            "output_usd_per_million": None,
            "budget_usd_per_day": Decimal(1),
        }
    )
    with pytest.raises(LlmError, match="LLM_INPUT_USD_PER_MILLION"):
        run(connection, unpriced)
    assert totals(connection) == {"pending": 2}
    assert one(connection, "select max(attempts) as n from risk.work_items")["n"] == 0


@pytest.mark.parametrize(
    ("kind", "status", "is_charged"),
    [
        ("rate_limited", 429, False),
        ("server_error", 500, False),
        ("unreachable", None, False),
        ("endpoint_refuses", None, False),
        ("timeout", None, True),
        ("connection", None, True),
    ],
)
def test_a_failed_attempt_settles_what_it_reserved_only_where_it_may_have_been_charged(
    connection: Connection,
    analyst: Analyst,
    item_id: int,
    kind: str,
    status: int | None,
    is_charged: bool,
) -> None:
    asking = Asking(call(priced(analyst.settings), item_id, "Acme recalls valves."))
    [attempt_id] = ledger.start_attempts(connection, [asking], "run-1", 60, {})
    assert spent(connection, "run") == spent(connection, "day") == asking.most_usd > 0
    fault = CallFailed(kind, "no", is_transient=True, http_status=status)
    ledger.save(connection, [failed_attempt(attempt_id, asking.key, fault, 5)])
    expected = asking.most_usd if is_charged else 0
    assert spent(connection, "run") == spent(connection, "day") == expected
    assert violations(connection) == {}


def test_a_killed_run_keeps_its_reservation_until_a_late_answer_says_what_it_cost(
    connection: Connection, analyst: Analyst, item_id: int
) -> None:
    asking = Asking(call(priced(analyst.settings), item_id, "Acme recalls valves."))
    [attempt_id] = ledger.start_attempts(connection, [asking], "run-1", -1, {})
    ledger.close_abandoned(connection)
    row = one(connection, "select reserved_usd, settled_usd from llm.budget where scope = 'run'")
    assert (row["reserved_usd"], row["settled_usd"]) == (0, asking.most_usd)
    late = Attempt(attempt_id, asking.key, "refusal", 5, cost_usd=Decimal("0.001"))
    ledger.save(connection, [late])
    assert spent(connection, "run") == spent(connection, "day") == Decimal("0.001")
    assert violations(connection) == {}


@pytest.fixture
def item_id(connection: Connection) -> int:
    """A work item to ask for."""
    prompts.register(connection, prompts.RISK_FINDINGS)
    row = one(
        connection,
        "insert into risk.work_items (subject_type, subject_id, step)"
        " values ('document', gen_random_uuid(), 'briefs') returning item_id",
    )
    return int(row["item_id"])


def call(settings: LlmSettings, item_id: int, text: str) -> Call:
    places = {"document": prompts.delimited(text), "supplier": "Acme", "country": "Mexico (MX)"}
    return Call(item_id, prompts.RISK_FINDINGS, places, settings)
