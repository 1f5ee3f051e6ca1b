"""What becomes of a replay's generation: promoted it counts, discarded it does not."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow

from orchestration.errors import UsageError
from orchestration.ingestion import changed_pairs
from orchestration.resources.postgres import Connection
from orchestration.scoring.agreement import shortfall
from orchestration.settings import HistorySettings


def promote(
    connection: Connection,
    generation_id: int,
    made_by: str,
    settings: HistorySettings,
    forced_because: str | None = None,
) -> int:
    """From now on its answers count, of each mention the newest; returns how many pairs it touches.

    Raises UsageError where it is no shadow, is still being written, or people agree with it too
    little and nobody says why it should count all the same.
    """
    with connection.transaction():
        generation = _locked(connection, generation_id)
        if generation["status"] != "shadow":
            raise UsageError(
                f"Generation {generation_id} is {generation['status']}; only a shadow is promoted."
            )
        if generation["open_items"]:
            raise UsageError(
                f"Generation {generation_id} is still being written: {generation['open_items']:,}"
                " work items are open. Wait until they are done, or discard it; nothing changed."
            )
        lacking = shortfall(connection, generation_id, settings)
        if lacking and not forced_because:
            raise UsageError(f"{lacking} To promote it all the same, say --force and --reason.")
        decision = forced_because and f"forced: {forced_because} ({lacking or 'nothing amiss'})"
        return _decide(connection, generation_id, "live", made_by, decision or "promoted")


def discard(connection: Connection, generation_id: int, made_by: str, reason: str) -> int:
    """It counts no more, and what is left of its work is not done; returns how many pairs it
    touches.

    A run that is at work in it writes nothing further. Raises UsageError where it is no replay, or
    was discarded before.
    """
    with connection.transaction():
        generation = _locked(connection, generation_id)
        if generation["kind"] != "replay":
            raise UsageError(
                f"Generation {generation_id} is the stream's, not a replay: take back what it wrote"
                f" with `supplier-risk rollback --generation {generation_id}`."
            )
        if generation["status"] == "discarded":
            raise UsageError(f"Generation {generation_id} was discarded before; nothing changed.")
        connection.execute(
            """
            with left_over as (
                select item_id from risk.work_items
                where generation_id = %s and state <> 'done'
                order by item_id
                for update
            )

            update risk.work_items
            set state = 'done', outcome = 'discarded', finished_at = now()
            from left_over
            where work_items.item_id = left_over.item_id
            """,
            [generation_id],
        )
        return _decide(connection, generation_id, "discarded", made_by, reason or "discarded")


def generations(connection: Connection) -> list[dict[str, Any]]:
    """All of them, the newest first, with what they wrote, what is open, and what they cost: None
    where the price of an answer is unknown."""
    return connection.execute(
        """
        with written as (
            select generation_id, count(*) as assessments
            from risk.assessments
            group by generation_id
        ),

        work as (
            select
                generation_id,
                count(*) filter (where state in ('pending', 'claimed')) as open_items,
                count(*) filter (where state = 'dead') as dead_items
            from risk.work_items
            where generation_id is not null
            group by generation_id
        ),

        paid as (
            select
                items.generation_id,
                case when bool_and(attempts.cost_usd is not null or attempts.outcome <> 'ok')
                    then coalesce(sum(attempts.cost_usd), 0) end as cost_usd,
                count(*) as calls
            from llm.attempts
            inner join risk.work_items as items using (item_id)
            where items.generation_id is not null
            group by items.generation_id
        )

        select
            generations.generation_id, generations.kind, generations.status, generations.model,
            generations.prompt_versions, generations.opened_at, generations.reason,
            generations.opened_by, generations.scope, generations.is_fresh, generations.decided_by,
            generations.decision,
            coalesce(written.assessments, 0) as assessments,
            coalesce(work.open_items, 0) as open_items,
            coalesce(work.dead_items, 0) as dead_items,
            coalesce(paid.calls, 0) as calls,
            case when paid.calls is null then 0 else paid.cost_usd end as cost_usd
        from risk.generations
        left join written using (generation_id)
        left join work using (generation_id)
        left join paid using (generation_id)
        order by generations.generation_id desc
        """
    ).fetchall()


def _locked(connection: Connection, generation_id: int) -> DictRow:
    row = connection.execute(
        """
        select
            kind, status,
            (
                select count(*) from risk.work_items as items
                where
                    items.generation_id = generations.generation_id
                    and items.state in ('pending', 'claimed')
            ) as open_items
        from risk.generations
        where generation_id = %s
        for update
        """,
        [generation_id],
    ).fetchone()
    if row is None:
        raise UsageError(
            f"There is no generation {generation_id}; `supplier-risk generations list` shows them."
        )
    return row


def _decide(
    connection: Connection, generation_id: int, status: str, made_by: str, decision: str
) -> int:
    connection.execute(
        "update risk.generations set status = %s, decided_by = %s, decision = %s"
        " where generation_id = %s",
        [status, made_by, decision, generation_id],
    )
    pair_ids = _pairs(connection, generation_id)
    what = "promoted" if status == "live" else status
    note = f"generation {generation_id} was {what} by {made_by}: {decision}"
    changed_pairs.note(connection, pair_ids, note)
    return len(pair_ids)


def _pairs(connection: Connection, generation_id: int) -> Sequence[UUID]:
    rows = connection.execute(
        """
        select pairs.pair_id
        from risk.assessments
        inner join risk.mentions using (mention_id)
        inner join risk.pairs using (supplier_id, country)
        where assessments.generation_id = %(generation)s
        union
        select pairs.pair_id
        from risk.briefs
        inner join risk.pairs using (supplier_id, country)
        where briefs.generation_id = %(generation)s
        """,
        {"generation": generation_id},
    )
    return [row["pair_id"] for row in rows]
