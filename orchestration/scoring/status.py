"""Where the received messages are and what the calls cost: what `supplier-risk status` shows."""

from typing import Any

from orchestration.resources.postgres import Connection, one

STATES = (
    "rejected",
    "duplicate",
    "superseded",
    "irrelevant",
    "no_supplier",
    "pending",
    "dead",
    "scored",
)


def status(connection: Connection) -> dict[str, Any]:
    """`{"totals": {...}, "batches": [...], "today": {...}}`: counts by state, the calls and their
    cost; of this day (UTC) the US dollars that are settled, and reserved for calls under way.

    `gap` is received minus the sum of the states; `pending_age_seconds` is of the oldest pending
    message. Calls belong to the batch of the document that they were about; those for briefs, which
    are about pairs, are in the totals only. `cost_usd` is None when a price is unknown.
    """
    batches = connection.execute(_BATCHES).fetchall()
    conflicts = one(
        connection,
        "select count(*) as conflicts from ingest.rejections where reason = 'message_id_conflict'",
    )
    return {
        "totals": _row(one(connection, _TOTALS)) | conflicts,
        "batches": [{"batch_id": row.pop("batch_id")} | _row(row) for row in batches],
        "today": {name: float(value) for name, value in one(connection, _TODAY).items()},
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    row = {
        key: float(value) if key == "cost_usd" and value is not None else value
        for key, value in row.items()
    }
    row["gap"] = row["received"] - sum(row[state] for state in STATES)
    return row


_COUNTS = ",\n".join(f"count(*) filter (where state = '{state}') as {state}" for state in STATES)

_TODAY = """
select coalesce(sum(settled_usd), 0) as settled_usd, coalesce(sum(reserved_usd), 0) as reserved_usd
from llm.budget
where scope = 'day' and period = to_char(now() at time zone 'UTC', 'YYYY-MM-DD')
"""

_CALL_SUMS = """
    count(attempts.attempt_id) as calls,
    coalesce(sum(attempts.input_tokens), 0) as input_tokens,
    coalesce(sum(attempts.output_tokens), 0) as output_tokens,
    case
        when bool_or(
            (attempts.outcome = 'ok' or attempts.input_tokens > 0 or attempts.output_tokens > 0)
            and attempts.cost_usd is null
        ) then null
        else coalesce(sum(attempts.cost_usd), 0)
    end as cost_usd
"""

_TOTALS = f"""
with messages as (
    select
        count(*) as received, {_COUNTS},
        coalesce(extract(epoch from now() - min(received_at) filter (where state = 'pending')), 0)
        ::integer as pending_age_seconds
    from risk.message_states
),

calls as (select {_CALL_SUMS} from llm.attempts)

select * from messages, calls
"""

_BATCHES = f"""
with messages as (
    select
        batch_id, min(received_at) as first_received_at,
        count(*) as received, {_COUNTS},
        coalesce(extract(epoch from now() - min(received_at) filter (where state = 'pending')), 0)
        ::integer as pending_age_seconds
    from risk.message_states
    group by batch_id
),

calls as (
    select messages.batch_id, {_CALL_SUMS}
    from llm.attempts
    inner join risk.work_items as items using (item_id)
    left join risk.mentions
        on items.subject_type = 'mention' and mentions.mention_id = items.subject_id
    inner join ingest.messages
        on
            messages.document_id = coalesce(mentions.document_id, items.subject_id)
            and messages.landed_as = 'document'
    where items.subject_type in ('document', 'mention')
    group by messages.batch_id
)

select
    messages.*, coalesce(calls.calls, 0) as calls,
    coalesce(calls.input_tokens, 0) as input_tokens,
    coalesce(calls.output_tokens, 0) as output_tokens,
    case when calls.calls is null then 0 else calls.cost_usd end as cost_usd
from messages
left join calls on calls.batch_id is not distinct from messages.batch_id
order by messages.first_received_at
"""
