"""What a run does in a generation whose work is queued: so many pairs, until none is left."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from orchestration.errors import UsageError
from orchestration.ingestion import changed_pairs
from orchestration.resources.postgres import Connection
from orchestration.scoring import ledger, prompts, results
from orchestration.scoring.report import RunReport
from orchestration.scoring.results import ScoringResult
from orchestration.scoring.run import heeding_the_endpoint, see_to
from orchestration.scoring.steps import Run
from orchestration.settings import IngestSettings, LlmSettings

PAIRS_PER_RUN = 500


@dataclass
class Replayed:
    """What one run did in a generation, and what is left in it: dead items by reason, and pairs for
    the next run."""

    generation_id: int
    status: str
    report: RunReport
    result: ScoringResult
    dead: dict[str, int] = field(default_factory=dict)
    pairs_left: int = 0


def work(
    connection: Connection,
    llm: LlmSettings,
    limits: IngestSettings,
    run_id: str,
    generation_id: int,
    most_pairs: int = PAIRS_PER_RUN,
) -> Replayed:
    """Do what is queued in a generation, of at most so many pairs, as `run.score` does it.

    Raises UsageError where there is no such generation, or it is not to be written to any more.
    """
    generation = _writable(connection, generation_id)
    llm = llm.of_model(generation["model"])
    is_fresh, attempts = generation["is_fresh"], limits.max_item_attempts
    run = Run(connection, llm, run_id, generation_id, attempts, is_fresh)
    replayed = Replayed(generation_id, generation["status"], RunReport(), ScoringResult())
    result = replayed.result
    ledger.close_abandoned(connection)
    due = [pair for pair, is_due in _pairs_with_work(connection, generation_id) if is_due]
    pairs = due[:most_pairs]
    with heeding_the_endpoint(run, replayed.report, result):
        see_to(run, replayed.report, _open_mentions(connection, generation_id, pairs), pairs)
    changes = changed_pairs.unreported(connection)
    keys = _partition_keys(connection, pairs)
    result.changes = {key: changes[key] for key in keys if key in changes}
    result.pairs = results.summaries(connection, keys, replayed.report)
    replayed.pairs_left = len(_pairs_with_work(connection, generation_id))
    replayed.dead = _dead(connection, generation_id)
    return replayed


@dataclass(frozen=True)
class Waiting:
    """A replay that has something to do, and the model that it asks."""

    generation_id: int
    model: str


def waiting(connection: Connection) -> Waiting | None:
    """The oldest replay of today's prompts with work that can be claimed now, if there is any."""
    row = connection.execute(
        """
        select generations.generation_id, generations.model
        from risk.generations
        where
            generations.kind = 'replay' and generations.status <> 'discarded'
            and generations.prompt_versions = %s
            and exists (
                select from risk.work_items as items
                where
                    items.generation_id = generations.generation_id
                    and items.state in ('pending', 'claimed') and items.available_at <= now()
            )
        order by generations.generation_id
        limit 1
        """,
        [Jsonb(prompts.versions())],
    ).fetchone()
    return Waiting(**row) if row else None


def _writable(connection: Connection, generation_id: int) -> DictRow:
    row = connection.execute(
        "select kind, status, model, prompt_versions, is_fresh from risk.generations"
        " where generation_id = %s",
        [generation_id],
    ).fetchone()
    if row is None:
        raise UsageError(
            f"There is no generation {generation_id}; `supplier-risk generations list` shows them."
        )
    if row["status"] == "discarded":
        raise UsageError(f"Generation {generation_id} was discarded; open another replay.")
    if row["prompt_versions"] != prompts.versions():
        raise UsageError(
            f"Generation {generation_id} was opened with other prompts than today's; what is left "
            "of it cannot be asked in the same way. Discard it and open another replay."
        )
    return row


def _pairs_with_work(connection: Connection, generation_id: int) -> list[tuple[UUID, bool]]:
    """Pairs with open work, each with whether some of it can be claimed now."""
    rows = connection.execute(
        """
        with open_items as (
            select subject_type, subject_id, available_at <= now() as is_due
            from risk.work_items
            where generation_id = %s and state in ('pending', 'claimed')
        ),

        open_pairs as (
            select pairs.pair_id, pairs.partition_key, open_items.is_due
            from open_items
            inner join risk.mentions on open_items.subject_id = mentions.mention_id
            inner join risk.pairs using (supplier_id, country)
            where open_items.subject_type = 'mention'
            union all
            select pairs.pair_id, pairs.partition_key, open_items.is_due
            from open_items
            inner join risk.pairs on open_items.subject_id = pairs.pair_id
            where open_items.subject_type = 'pair'
        )

        select pair_id, bool_or(is_due) as is_due from open_pairs
        group by pair_id, partition_key
        order by partition_key
        """,
        [generation_id],
    )
    return [(row["pair_id"], row["is_due"]) for row in rows]


def _open_mentions(
    connection: Connection, generation_id: int, pair_ids: Sequence[UUID]
) -> list[UUID]:
    rows = connection.execute(
        """
        select mentions.mention_id
        from risk.pairs
        inner join risk.mentions using (supplier_id, country)
        inner join risk.work_items as items
            on
                items.subject_type = 'mention' and items.subject_id = mentions.mention_id
                and items.step = 'findings' and items.generation_id = %s
        where pairs.pair_id = any(%s) and items.state in ('pending', 'claimed')
        """,
        [generation_id, list(pair_ids)],
    )
    return [row["mention_id"] for row in rows]


def _partition_keys(connection: Connection, pair_ids: Sequence[UUID]) -> list[str]:
    rows = connection.execute(
        "select partition_key from risk.pairs where pair_id = any(%s) order by partition_key",
        [list(pair_ids)],
    )
    return [row["partition_key"] for row in rows]


def _dead(connection: Connection, generation_id: int) -> dict[str, int]:
    rows = connection.execute(
        "select coalesce(last_error_class, 'unknown') as reason, count(*) as items"
        " from risk.work_items where generation_id = %s and state = 'dead'"
        " group by reason order by items desc, reason",
        [generation_id],
    )
    return {row["reason"]: row["items"] for row in rows}
