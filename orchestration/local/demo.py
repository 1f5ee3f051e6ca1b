"""The demonstration: publish the sample feed, wait until it has become scores, show the result.

It does nothing that the sensor, the daemon and the automation would not do by themselves.
"""

import subprocess
import sys
import time
from typing import Any

from rich.console import Console

from orchestration import terminal
from orchestration.errors import StackError
from orchestration.ingestion.publisher import new_batch_id
from orchestration.local.analyst import MODEL
from orchestration.local.dagster_parts import unfinished_runs
from orchestration.local.state import StackFile
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring.status import status
from orchestration.settings import REPOSITORY, LlmSettings, PostgresSettings, environment

SAMPLE = REPOSITORY / "data" / "sample" / "supplier_news.jsonl"
REDATE_DAYS = 30
PATIENCE_SECONDS = 240
_ROWS = 8


def run(out: Console, running: StackFile) -> None:
    """Publish, wait, show. Raises StackError when the result does not come in time."""
    batch_id = f"demo-{new_batch_id()}"
    started = time.monotonic()
    _publish(batch_id)
    documents = sum(1 for _ in SAMPLE.open("rb"))
    port = int(running.address("webserver").rpartition(":")[2])
    with connect(PostgresSettings.load(), "supplier-risk demo") as connection:
        calls_before = status(connection)["totals"]["calls"]
        _wait_until_quiet(out, connection, port, batch_id, documents)
        _show(out, connection, batch_id, time.monotonic() - started, calls_before)


def _publish(batch_id: str) -> None:
    command = [sys.executable, "-m", "orchestration.cli", "publish", str(SAMPLE)]
    options = ["--batch-id", batch_id, "--redate", str(REDATE_DAYS)]
    if subprocess.run([*command, *options], env=environment()).returncode != 0:
        raise StackError("The sample could not be published; see the message above.")


def _wait_until_quiet(
    out: Console, connection: Connection, port: int, batch_id: str, documents: int
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with out.status("waiting for the sensor") as spinner:
        while time.monotonic() < deadline:
            batch = _batch(connection, batch_id)
            received = batch["received"] if batch else 0
            if batch is None or received < documents or batch["pending"]:
                done = received - batch["pending"] if batch else 0
                spinner.update(f"{received:,} of {documents:,} landed, {done:,} finished")
            elif unfinished_runs(port) or not _marts_are_fresh(connection, batch_id, received):
                spinner.update("building the marts")
            else:
                return
            time.sleep(0.5)
    raise StackError(
        f"After {PATIENCE_SECONDS} s the batch {batch_id} is not in the marts; "
        "`supplier-risk status` and `supplier-risk local logs` say where it is."
    )


def _batch(connection: Connection, batch_id: str) -> dict[str, Any] | None:
    batches = status(connection)["batches"]
    return next((batch for batch in batches if batch["batch_id"] == batch_id), None)


def _marts_are_fresh(connection: Connection, batch_id: str, received: int) -> bool:
    """Whether dbt has built every mart from what is current now."""
    marts = one(connection, "select to_regclass('marts.supplier_risk_current') as name")
    if marts["name"] is None:
        return False
    row = one(
        connection,
        """
        select
            (
                select received from marts.pipeline_reconciliation where batch_id = %s
            ) as received,
            (select count(*) from marts.risk_evidence) as evidence,
            (
                select count(*)
                from risk.current_mentions
                inner join risk.current_assessments using (mention_id)
                inner join risk.findings using (assessment_id)
            ) as findings
        """,
        [batch_id],
    )
    return bool(row["received"] == received and row["evidence"] == row["findings"])


def _show(
    out: Console, connection: Connection, batch_id: str, seconds: float, calls_before: int
) -> None:
    found = status(connection)
    batch = next(batch for batch in found["batches"] if batch["batch_id"] == batch_id)
    model = LlmSettings.load().model
    out.print(terminal.risk_table(_riskiest(connection)))
    states = ", ".join(
        f"{batch[state]:,} {state.replace('_', ' ')}"
        for state in ("scored", "no_supplier", "duplicate", "rejected", "dead", "pending")
        if batch[state]
    )
    out.print(
        f"Reconciliation: {batch['received']:,} received = {states}; gap {batch['gap']}.",
        markup=False,
    )
    stand_in = (
        " (the offline analyst: a word list, a stand-in for a model)" if model == MODEL else ""
    )
    calls = found["totals"]["calls"]
    out.print(
        f"Model: {model}{stand_in}. Calls: {calls:,} in all, {calls - calls_before:,} of them now; "
        f"cost in all {terminal.money(found['totals']['cost_usd'])}. {seconds:.0f} s.",
        markup=False,
    )
    out.print(
        "Next: `make up` serves the Dagster UI on the same data; `supplier-risk status` counts; "
        "`supplier-risk call NUMBER` shows a prompt and its answer.",
        markup=False,
    )


def _riskiest(connection: Connection) -> list[dict[str, Any]]:
    return connection.execute(
        """
        select
            risks.supplier_name, risks.country, risks.score, risks.band, risks.top_dimension,
            risks.keywords, best.quote, best.publisher
        from marts.supplier_risk_current as risks
        cross join lateral (
            select events.evidence_quote as quote, evidence.publisher
            from marts.risk_events as events
            inner join marts.risk_evidence as evidence
                on events.evidence_finding_id = evidence.finding_id
            where
                events.supplier_id = risks.supplier_id and events.country = risks.country
                and events.dimension = risks.top_dimension
            order by events.contribution desc, events.event_id
            limit 1
        ) as best
        where risks.dimension = 'overall' and risks.score is not null
        order by risks.score desc, risks.supplier_id, risks.country
        limit %s
        """,
        [_ROWS],
    ).fetchall()
