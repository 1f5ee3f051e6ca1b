"""Rollback: a retraction takes back what was written, and can be undone. Nothing is deleted.

A retraction covers assessments, and the briefs that match the selection themselves or cite one of
their findings. Retractions that overlap are independent of each other. Nobody is asked anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from orchestration.errors import UsageError
from orchestration.history.selection import Selection, check, condition, demand
from orchestration.ingestion import changed_pairs
from orchestration.resources.postgres import Connection, one


@dataclass(frozen=True)
class Retraction:
    """What one rollback covers. `instead`: by generation, the mentions of which its assessment
    becomes current; under None those that have none left."""

    retraction_id: int | None
    assessments: int
    briefs: int
    pairs: Sequence[str]
    instead: Mapping[int | None, int]


def plan(connection: Connection, selection: Selection, everything: bool = False) -> Retraction:
    """What a rollback would cover and what would become current. Nothing stays written."""
    with connection.transaction(force_rollback=True):
        planned = _cover(connection, selection, everything, "planned", "planned")
    return Retraction(None, planned.assessments, planned.briefs, planned.pairs, planned.instead)


def roll_back(
    connection: Connection,
    selection: Selection,
    reason: str,
    made_by: str,
    everything: bool = False,
) -> Retraction:
    """Take back what is there now; what a run writes later is not covered.

    Raises UsageError where nothing is selected, everything without being asked for, a name exists
    nowhere, or a selected generation is still being written; nothing is written then.
    """
    if not reason.strip():
        raise UsageError("Say why: --reason is kept with the rollback.")
    with connection.transaction():
        return _cover(connection, selection, everything, reason, made_by)


def undo(connection: Connection, retraction_id: int, made_by: str) -> Retraction:
    """What the retraction covered counts again, unless another one covers it too.

    Raises UsageError where there is no such retraction, or it was undone before.
    """
    with connection.transaction():
        row = connection.execute(
            "select reason, undone_by, undone_at from risk.retractions"
            " where retraction_id = %s for update",
            [retraction_id],
        ).fetchone()
        if row is None:
            raise UsageError(
                f"There is no rollback {retraction_id}; `supplier-risk rollback --list` shows them."
            )
        if row["undone_at"] is not None:
            raise UsageError(
                f"Rollback {retraction_id} was undone by {row['undone_by']} at"
                f" {row['undone_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC; nothing changed."
            )
        connection.execute(
            "update risk.retractions set undone_by = %s, undone_at = clock_timestamp()"
            " where retraction_id = %s",
            [made_by, retraction_id],
        )
        _gather_covered(connection, retraction_id)
        note = f"rollback {retraction_id} was undone by {made_by}: {row['reason']}"
        return _tell(connection, retraction_id, note)


def retractions(connection: Connection) -> list[dict[str, Any]]:
    """All of them, the newest first, with how many assessments and briefs each covers."""
    return connection.execute(
        """
        select
            retractions.retraction_id, retractions.filter, retractions.reason, retractions.made_by,
            retractions.made_at, retractions.undone_by, retractions.undone_at,
            count(retracted.assessment_id) as assessments, count(retracted.brief_id) as briefs
        from risk.retractions
        left join risk.retracted using (retraction_id)
        group by retractions.retraction_id
        order by retractions.retraction_id desc
        """
    ).fetchall()


def _cover(
    connection: Connection, selection: Selection, everything: bool, reason: str, made_by: str
) -> Retraction:
    check(connection, selection)
    _demand_ended(connection, selection.generations)
    _gather_assessments(connection, selection)
    _gather_briefs(connection, selection)
    total = one(
        connection,
        "select (select count(*) from risk.assessments) + (select count(*) from risk.briefs) as n",
    )["n"]
    found = sum(_counts(connection).values())
    demand(selection, found, total, everything, "assessments and briefs")
    made = one(
        connection,
        "insert into risk.retractions (filter, reason, made_by) values (%s, %s, %s)"
        " returning retraction_id",
        [Jsonb(selection.given()), reason, made_by],
    )
    retraction_id = int(made["retraction_id"])
    for query in (
        "insert into risk.retracted (retraction_id, assessment_id)"
        " select %s, assessment_id from covered_assessments order by assessment_id",
        "insert into risk.retracted (retraction_id, brief_id)"
        " select %s, brief_id from covered_briefs order by brief_id",
    ):
        connection.execute(query, [retraction_id])
    return _tell(connection, retraction_id, f"rollback {retraction_id} by {made_by}: {reason}")


def _demand_ended(connection: Connection, generation_ids: Sequence[int]) -> None:
    """A replay is being written until its work is done; the stream, while a run has claimed it."""
    row = connection.execute(
        """
        select generations.generation_id, generations.kind, count(*) as items
        from risk.generations
        inner join risk.work_items as items using (generation_id)
        where
            generations.generation_id = any(%s)
            and (
                (items.state = 'claimed' and items.lease_until > now())
                or (generations.kind = 'replay' and items.state in ('pending', 'claimed'))
            )
        group by generations.generation_id
        order by generations.generation_id
        limit 1
        """,
        [list(generation_ids)],
    ).fetchone()
    if row:
        way_out = ", or discard it" if row["kind"] == "replay" else ""
        raise UsageError(
            f"Generation {row['generation_id']} is still being written: {row['items']:,} work items"
            f" are open. Wait until they are done{way_out}; nothing changed."
        )


# What is covered stands in tables of the transaction's own. They are analyzed: of rows that it has
# just written elsewhere PostgreSQL believes that there are few, and would look for each in all.
_COVERED: LiteralString = """
    create temporary table covered_assessments (assessment_id bigint, mention_id uuid)
    on commit drop;
    create temporary table covered_briefs (brief_id bigint) on commit drop
"""


def _gather_assessments(connection: Connection, selection: Selection) -> None:
    connection.execute(_COVERED)
    connection.execute(
        """
        insert into covered_assessments
        select assessments.assessment_id, assessments.mention_id
        from risk.assessments
        inner join risk.generations using (generation_id)
        inner join risk.mentions using (mention_id)
        inner join ingest.documents using (document_id)
        where """
        + condition(selection, of_writing=True),
        selection.parameters(),
    )
    connection.execute("analyze covered_assessments")


_OF_BRIEFS: Mapping[str, LiteralString] = {
    "suppliers": "briefs.supplier_id = any(%(suppliers)s)",
    "countries": "briefs.country = any(%(countries)s)",
    "generations": "briefs.generation_id = any(%(generations)s)",
    "runs": "briefs.run_id = any(%(runs)s)",
    "prompt_versions": "generations.prompt_versions ->> 'risk_briefs' = any(%(prompt_versions)s)",
    "models": "generations.model = any(%(models)s)",
    "since": "briefs.created_at >= %(since)s",
    "before": "briefs.created_at < %(before)s",
}


def _gather_briefs(connection: Connection, selection: Selection) -> None:
    """Documents, sources, batches and states are no words about a brief: there only those count
    that cite what is taken back."""
    of_briefs = [clause for part, clause in _OF_BRIEFS.items() if getattr(selection, part)]
    is_of_briefs = set(selection.given()) <= set(_OF_BRIEFS)
    matching: LiteralString = (" and ".join(of_briefs) or "true") if is_of_briefs else "false"
    connection.execute(
        """
        insert into covered_briefs
        select briefs.brief_id
        from risk.briefs
        cross join lateral unnest(briefs.finding_ids) as citation (finding_id)
        inner join risk.findings using (finding_id)
        inner join covered_assessments using (assessment_id)
        union
        select briefs.brief_id
        from risk.briefs
        inner join risk.generations using (generation_id)
        where """
        + matching,
        selection.parameters(),
    )
    connection.execute("analyze covered_briefs")


def _gather_covered(connection: Connection, retraction_id: int) -> None:
    """What a retraction of earlier covers."""
    connection.execute(_COVERED)
    for query in (
        "insert into covered_assessments select assessment_id, mention_id from risk.retracted"
        " inner join risk.assessments using (assessment_id) where retraction_id = %s",
        "insert into covered_briefs select brief_id from risk.retracted"
        " where retraction_id = %s and brief_id is not null",
    ):
        connection.execute(query, [retraction_id])
    connection.execute("analyze covered_assessments, covered_briefs")


def _counts(connection: Connection) -> dict[str, int]:
    row = one(
        connection,
        "select (select count(*) from covered_assessments) as assessments,"
        " (select count(*) from covered_briefs) as briefs",
    )
    return dict(row)


def _tell(connection: Connection, retraction_id: int, note: str) -> Retraction:
    """Call it in the transaction that makes or undoes it: Dagster is to hear of the pairs."""
    pairs = _pairs(connection)
    changed_pairs.note(connection, list(pairs.values()), note)
    instead = _instead(connection)
    return Retraction(retraction_id, **_counts(connection), pairs=list(pairs), instead=instead)


def _pairs(connection: Connection) -> dict[str, UUID]:
    rows = connection.execute(
        """
        select pairs.partition_key, pairs.pair_id
        from covered_assessments
        inner join risk.mentions using (mention_id)
        inner join risk.pairs using (supplier_id, country)
        union
        select pairs.partition_key, pairs.pair_id
        from covered_briefs
        inner join risk.briefs using (brief_id)
        inner join risk.pairs using (supplier_id, country)
        order by partition_key
        """
    )
    return {row["partition_key"]: row["pair_id"] for row in rows}


def _instead(connection: Connection) -> dict[int | None, int]:
    """What is current now of the mentions that are covered."""
    rows = connection.execute(
        """
        select current_assessments.generation_id, count(*) as mentions
        from (select distinct mention_id from covered_assessments) as touched
        left join risk.current_assessments using (mention_id)
        group by current_assessments.generation_id
        order by current_assessments.generation_id
        """
    )
    return {row["generation_id"]: row["mentions"] for row in rows}
