"""One scoring run from start to end: which work, in what order, and what is to be said about it.

Used by the Dagster assets; knows nothing of Dagster.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from orchestration.errors import LlmError
from orchestration.ingestion import changed_pairs, circuit, work_items
from orchestration.ingestion.budget import BudgetReached
from orchestration.partitions import parse_partition_key
from orchestration.resources.postgres import Connection, one
from orchestration.scoring import briefs, checks, findings, ledger, results
from orchestration.scoring.generations import open_stream
from orchestration.scoring.report import RunReport
from orchestration.scoring.results import ScoringResult
from orchestration.scoring.status import status
from orchestration.scoring.steps import Run
from orchestration.settings import IngestSettings, LlmSettings

MAX_MENTIONS_PER_RUN = 5_000
_BEYOND_LEASE_SECONDS = 10
_POLL_SECONDS = 1.0


def score(
    connection: Connection,
    llm: LlmSettings,
    limits: IngestSettings,
    run_id: str,
    targets: Sequence[str] | None,
) -> ScoringResult:
    """Score what is pending; with `targets` (partition keys), what these pairs need and no more.

    When no call can succeed, or the endpoint answers nobody, claimed work is given back, the
    circuit opens, and `outage` says why; where a budget is used up, `stopped` does. What was
    finished before is reported all the same.
    """
    ledger.close_abandoned(connection)
    generation_id = open_stream(connection, llm.model)
    run = Run(connection, llm, run_id, generation_id, limits.max_item_attempts)
    report = RunReport()
    result = ScoringResult()
    with heeding_the_endpoint(run, report, result):
        if targets is None:
            findings.score_pending(run, report, MAX_MENTIONS_PER_RUN)
            briefs.write_pending(run, report)
        else:
            pairs = _observed(connection, targets, result)
            _score_pairs(run, report, pairs)
    if targets is not None:
        result.failures |= _unfinished(run, list(pairs))
    changes = changed_pairs.unreported(connection)
    finished = changes if targets is None else [key for key in pairs if key not in result.failures]
    result.changes = {key: changes[key] for key in finished if key in changes}
    result.pairs = results.summaries(connection, list(finished), report)
    result.violations = checks.violations(connection)
    result.totals = status(connection)["totals"]
    result.outstanding = results.outstanding(connection)
    if result.stopped:
        result.outstanding.insert(0, result.stopped)
    result.open_letters = results.open_letters(connection)
    result.findings, result.unverified_quotes = results.quotes(connection)
    return result


@contextmanager
def heeding_the_endpoint(run: Run, report: RunReport, result: ScoringResult) -> Iterator[None]:
    """A budget that is used up, or an endpoint that answers nobody, ends the block and is noted in
    the result; the circuit of the endpoint opens, or closes again."""
    try:
        yield
    except BudgetReached as reached:
        result.stopped = str(reached)
    except LlmError as error:
        circuit.trip(run.connection, run.llm, str(error))
        result.outage = error
    if result.outage is None and any(pair.answered for pair in report.pairs.values()):
        circuit.close(run.connection, run.llm)


def _observed(
    connection: Connection, targets: Sequence[str], result: ScoringResult
) -> dict[str, UUID]:
    """Pair ids of the targets; a key that is no observed pair becomes a failure."""
    rows = connection.execute(
        "select partition_key, pair_id from risk.pairs where partition_key = any(%s)",
        [list(targets)],
    )
    pairs = {row["partition_key"]: row["pair_id"] for row in rows}
    for key in targets:
        if key not in pairs:
            result.failures[key] = _why_unknown(key)
    return {key: pairs[key] for key in targets if key in pairs}


def _why_unknown(key: str) -> str:
    try:
        parse_partition_key(key)
    except ValueError as error:
        return f"{error}; delete this partition"
    return (
        "no document mentions this supplier in this country; partitions are added when a document "
        "does, so delete this one"
    )


def _score_pairs(run: Run, report: RunReport, pairs: dict[str, UUID]) -> None:
    """Queue what the pairs lack in this generation, try again what is dead, then work on it."""
    rows = run.connection.execute(
        "select mentions.mention_id from risk.current_mentions as mentions"
        " inner join risk.pairs using (supplier_id, country) where pairs.partition_key = any(%s)",
        [list(pairs)],
    )
    mention_ids = [row["mention_id"] for row in rows]
    pair_ids = list(pairs.values())
    with run.connection.transaction():
        work_items.enqueue(run.connection, "mention", mention_ids, "findings", run.generation_id)
        work_items.reopen(
            run.connection, mention_ids, "findings", run.generation_id, ("dead", "pending")
        )
        work_items.enqueue(run.connection, "pair", pair_ids, "briefs", run.generation_id)
        work_items.reopen(
            run.connection, pair_ids, "briefs", run.generation_id, ("dead", "done", "pending")
        )
    see_to(run, report, mention_ids, pair_ids)


def see_to(
    run: Run, report: RunReport, mention_ids: Sequence[UUID], pair_ids: Sequence[UUID]
) -> None:
    """Work on what can be claimed. What another run holds ends soon, or its lease does: wait for
    that, and take what comes free."""
    deadline = time.monotonic() + work_items.LEASE_SECONDS + _BEYOND_LEASE_SECONDS
    while True:
        findings.score_pending(run, report, mention_ids=mention_ids)
        briefs.write_pending(run, report, pair_ids)
        if not _is_under_way(run, mention_ids, pair_ids) or time.monotonic() > deadline:
            return
        time.sleep(_POLL_SECONDS)


def _is_under_way(run: Run, mention_ids: Sequence[UUID], pair_ids: Sequence[UUID]) -> bool:
    """Whether another run holds some of it, or has just given some back."""
    row = one(
        run.connection,
        """
        select exists (
            select from risk.work_items
            where
                generation_id = %s and step in ('findings', 'briefs') and subject_id = any(%s)
                and (state = 'claimed' or (state = 'pending' and available_at <= now()))
        ) as found
        """,
        [run.generation_id, [*mention_ids, *pair_ids]],
    )
    return bool(row["found"])


def _unfinished(run: Run, keys: Sequence[str]) -> dict[str, str]:
    """Targeted pairs with work that is still open or dead, and the first reason."""
    rows = run.connection.execute(
        """
        select
            pairs.partition_key,
            count(distinct items.item_id) as items,
            min(
                case
                    when items.outcome = 'moved' then 'a run with another model took it over'
                    else coalesce(items.last_error_class || ': ' || items.last_error, items.state)
                end
            ) as reason
        from risk.pairs
        left join risk.current_mentions as mentions using (supplier_id, country)
        inner join risk.work_items as items
            on
                items.generation_id = %s
                and (
                    (items.step = 'findings' and items.subject_id = mentions.mention_id)
                    or (items.step = 'briefs' and items.subject_id = pairs.pair_id)
                )
        where
            pairs.partition_key = any(%s)
            and (items.state <> 'done' or items.outcome = 'moved')
        group by pairs.partition_key
        """,
        [run.generation_id, list(keys)],
    )
    return {row["partition_key"]: f"{row['items']} open: {row['reason']}" for row in rows}
