"""Budgets in US dollars: what one run, and all runs of a day (UTC), may spend on calls.

A call is started only where the most that it can cost still fits in. llm.budget holds what is
reserved and what is settled; the database keeps it (migration 0011).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from orchestration.errors import LlmError
from orchestration.resources.postgres import Connection
from orchestration.settings import LlmSettings

_NEXT = {
    "day": "the next call is made after midnight UTC",
    "run": "the next run goes on with a budget of its own",
}
_PERIODS = (
    "(values ('day', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD')), ('run', %s))"
    " as periods (scope, period)"
)


class BudgetReached(LlmError):
    """No further call may be started; what was answered counts, the rest stays pending."""


def room_for(
    connection: Connection, budgets: Mapping[str, Decimal], run_id: str, costs: Sequence[Decimal]
) -> int:
    """How many of the calls, in this order, every budget (by scope) has room for.

    Call it in the transaction that commits their attempts: until its end nobody else reserves.
    """
    if not budgets:
        return len(costs)
    connection.execute(
        "insert into llm.budget (scope, period) select scope, period"
        f" from {_PERIODS} order by scope on conflict do nothing",
        [run_id],
    )
    rows = connection.execute(
        "select scope, reserved_usd + settled_usd as used"
        f" from llm.budget inner join {_PERIODS} using (scope, period)"
        " order by scope for update of budget",
        [run_id],
    ).fetchall()
    used = {row["scope"]: row["used"] for row in rows}
    room = {scope: budget - used[scope] for scope, budget in budgets.items()}
    total = Decimal(0)
    for count, cost in enumerate(costs):
        total += cost
        if short := [scope for scope, left in room.items() if total > left]:
            _note_refusal(connection, run_id, short, cost)
            return count
    return len(costs)


def _note_refusal(
    connection: Connection, run_id: str, scopes: Sequence[str], cost: Decimal
) -> None:
    connection.execute(
        f"update llm.budget set refused_usd = %s from {_PERIODS}"
        " where budget.scope = periods.scope and budget.period = periods.period"
        " and budget.scope = any(%s)",
        [cost, run_id, list(scopes)],
    )


def obstacle(connection: Connection, llm: LlmSettings, run_id: str = "") -> str | None:
    """Which budget has no room for what was refused last, in one sentence; None if each has.

    A budget that is raised, or a reservation that was not used up, makes room again.
    """
    rows = connection.execute(
        "select scope, reserved_usd, settled_usd, refused_usd"
        f" from llm.budget inner join {_PERIODS} using (scope, period)"
        " where refused_usd is not null order by scope",
        [run_id],
    )
    for row in rows:
        limit = llm.budgets.get(row["scope"])
        used = row["settled_usd"] + row["reserved_usd"]
        if limit is not None and used + row["refused_usd"] > limit:
            return _sentence(row["scope"], limit, row["settled_usd"], row["reserved_usd"])
    return None


def _sentence(scope: str, limit: Decimal, settled: Decimal, reserved: Decimal) -> str:
    under_way = f" and {reserved:.4f} reserved for calls under way" if reserved else ""
    return (
        f"the budget of the {scope} is used up: {settled:.4f} of {limit:f} US dollars are spent"
        f"{under_way}, too little is left for another call; {_NEXT[scope]}, or raise "
        f"LLM_BUDGET_USD_PER_{scope.upper()}"
    )
