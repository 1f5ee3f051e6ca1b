"""The demonstration: publish the sample feed, wait until it has become scores, show the result.

It does nothing that the sensor, the daemon and the automation would not do by themselves.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from orchestration import terminal
from orchestration.errors import StackError
from orchestration.ingestion.publisher import new_batch_id
from orchestration.ingestion.reading import count
from orchestration.local.analyst import MODEL
from orchestration.local.dagster_parts import unfinished_runs
from orchestration.local.state import StackFile
from orchestration.resources.postgres import Connection, connect, one
from orchestration.scoring.status import STATES, status
from orchestration.settings import LlmSettings, PostgresSettings, environment

REDATE_DAYS = 30
PATIENCE_SECONDS = 240
_ROWS = 8
# In the order in which they are told; every state there is, so that the line adds up.
_TOLD = ("scored", "no_supplier", "duplicate", "superseded", "irrelevant", "rejected", "dead")
_STATES = (*_TOLD, *sorted({*STATES} - {*_TOLD}))


def run(out: Console, running: StackFile, pause: Callable[[float], None], news: Path) -> None:
    """Publish, wait, show. Raises StackError when the result does not come or does not add up.

    `pause` lets so many seconds pass; it raises KeyboardInterrupt when the demonstration must end.
    """
    batch_id = f"demo-{new_batch_id()}"
    started = time.monotonic()
    with _connect() as connection:
        calls_before = status(connection)["totals"]["calls"]
    _publish(news, batch_id, pause)
    dagster = running.address("webserver")
    waiting = _Waiting(batch_id, count([news]), int(dagster.rpartition(":")[2]))
    _wait_until_quiet(out, waiting, pause)
    with _connect() as connection:
        _show(out, connection, batch_id, time.monotonic() - started, calls_before)
    out.print(
        f"Next: `make up` serves the Dagster UI on the same data at {dagster}, and then "
        "`make dashboards` shows it in Superset; `supplier-risk status` counts; "
        "`supplier-risk call NUMBER` shows a prompt and its answer.",
        markup=False,
    )


def _connect() -> AbstractContextManager[Connection]:
    return connect(PostgresSettings.load(), "supplier-risk demo")


def _publish(news: Path, batch_id: str, pause: Callable[[float], None]) -> None:
    command = [sys.executable, "-m", "orchestration.cli", "publish", str(news)]
    options = ["--batch-id", batch_id, "--redate", str(REDATE_DAYS)]
    publishing = subprocess.Popen([*command, *options], env=environment())
    try:
        while publishing.poll() is None:
            pause(0.1)
    finally:
        publishing.terminate()
        publishing.wait()
    if publishing.returncode != 0:
        raise StackError(f"{news} could not be published; see the message above.")


@dataclass(frozen=True)
class _Waiting:
    """What is waited for: the batch, how many documents it has, the port of the webserver."""

    batch_id: str
    documents: int
    port: int

    def for_what(self) -> str | None:
        """What is missing yet; None when the marts hold the whole batch."""
        with _connect() as connection:
            batch = _batch(connection, self.batch_id)
            received = batch["received"] if batch else 0
            if batch is None or received < self.documents or batch["pending"]:
                done = received - batch["pending"] if batch else 0
                return f"{received:,} of {self.documents:,} landed, {done:,} finished"
            if unfinished_runs(self.port) or not _marts_are_fresh(
                connection, self.batch_id, received
            ):
                return "building the marts"
        return None


def _wait_until_quiet(out: Console, waiting: _Waiting, pause: Callable[[float], None]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with out.status("waiting for the sensor") as spinner:
        while time.monotonic() < deadline:
            try:
                missing = waiting.for_what()
            except (psycopg.OperationalError, OSError, RuntimeError):
                missing = "a part of the stack does not answer"  # it is being started again
            if missing is None:
                return
            spinner.update(missing)
            pause(0.5)
    raise StackError(
        f"After {PATIENCE_SECONDS} s the batch {waiting.batch_id} is not in the marts; "
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
    out.print(reconciliation(batch), markup=False)
    stand_in = (
        " (the offline analyst: a word list, a stand-in for a model)" if model == MODEL else ""
    )
    calls = found["totals"]["calls"]
    out.print(
        f"Model: {model}{stand_in}. Calls: {calls:,} in all, {calls - calls_before:,} of them now; "
        f"cost in all {terminal.money(found['totals']['cost_usd'])}. {seconds:.0f} s.",
        markup=False,
    )


def reconciliation(batch: Mapping[str, Any]) -> str:
    """Received = the sum of all states, as a line. Raises StackError when it does not add up."""
    states = ", ".join(
        f"{batch[state]:,} {state.replace('_', ' ')}" for state in _STATES if batch[state]
    )
    line = f"Reconciliation: {batch['received']:,} received = {states}; gap {batch['gap']}."
    if batch["gap"]:
        raise StackError(
            f"{line} Messages of the batch have no state: the check `reconciliation` says which."
        )
    return line


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
