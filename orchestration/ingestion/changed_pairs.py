"""Pairs whose findings or brief changed since Dagster last heard of them.

Noted in the transaction that changes them and struck off after their events are logged, so that a
run killed in between leaves them to the next one. A pair is noted again by each change.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from orchestration.ingestion.work_items import LEASE_SECONDS
from orchestration.resources.postgres import Connection, one


def note(connection: Connection, pair_ids: Sequence[UUID], reason: str | None = None) -> None:
    """Call it in the transaction that changes the pairs. With a reason, a person changed them."""
    connection.execute(
        """
        insert into risk.unreported_pairs (pair_id, reason)
        select distinct pair_id, %s from unnest(%s::uuid[]) as pair_id order by pair_id
        on conflict (pair_id) do update
        set
            change = nextval('risk.pair_changes'), changed_at = clock_timestamp(),
            reason = coalesce(excluded.reason, unreported_pairs.reason)
        """,
        [reason, list(pair_ids)],
    )


def unreported(connection: Connection) -> dict[str, int]:
    """The change that each pair stands at, by partition key, the oldest first; without those that a
    person changed."""
    rows = connection.execute(
        "select partition_key, change from risk.unreported_pairs"
        " inner join risk.pairs using (pair_id) where reason is null order by change"
    )
    return {row["partition_key"]: row["change"] for row in rows}


def changed_by_people(connection: Connection, limit: int) -> dict[str, tuple[int, str]]:
    """Of the pairs that a person changed the first `limit`: change and reason by partition key."""
    rows = connection.execute(
        "select partition_key, change, reason from risk.unreported_pairs"
        " inner join risk.pairs using (pair_id) where reason is not null order by change limit %s",
        [limit],
    )
    return {row["partition_key"]: (row["change"], row["reason"]) for row in rows}


def are_left_behind(connection: Connection) -> bool:
    """Whether a run ended without a word, as it would have reported its changes by now."""
    row = one(
        connection,
        "select exists (select from risk.unreported_pairs where reason is null"
        " and changed_at < now() - make_interval(secs => %s)) as found",
        [LEASE_SECONDS],
    )
    return bool(row["found"])


def strike(connection: Connection, changes: Mapping[str, int]) -> None:
    """Their events are logged; a pair that changed once more since then stays."""
    connection.execute(
        """
        delete from risk.unreported_pairs
        using risk.pairs, unnest(%s::text[], %s::bigint[]) as logged (partition_key, change)
        where
            pairs.pair_id = unreported_pairs.pair_id
            and pairs.partition_key = logged.partition_key
            and unreported_pairs.change = logged.change
        """,
        [list(changes), list(changes.values())],
    )
