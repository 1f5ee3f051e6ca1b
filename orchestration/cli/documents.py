"""`publish`, `status`, `call`: documents on their way, and what they cost."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orchestration import terminal
from orchestration.errors import UsageError
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings
from orchestration.terminal import err, out

if TYPE_CHECKING:
    from orchestration.ingestion.message import Rejected


def publish(
    paths: Annotated[
        list[Path], typer.Argument(help=".jsonl, .csv, or folders of .txt, .md, .html and .pdf")
    ],
    batch_id: Annotated[str | None, typer.Option(help="Name of the batch; default: time.")] = None,
    ordering_key: Annotated[
        str, typer.Option(help="Messages with one key are delivered in order.")
    ] = "",
    redate: Annotated[
        int | None,
        typer.Option(
            min=1, help="Map the dates, in order, into the last so many days.", metavar="DAYS"
        ),
    ] = None,
) -> None:
    """Publish documents to the topic; what is no document is reported and left out."""
    from orchestration.ingestion import publisher, reading
    from orchestration.resources.pubsub import GooglePubsub

    settings = PubsubSettings.load()
    limit = IngestSettings.load().max_document_bytes
    batch_id = batch_id or publisher.new_batch_id()
    publisher.check_names(batch_id, ordering_key)
    reading.check(paths)
    records = reading.read(paths)
    if redate is not None:
        records = iter(publisher.redate(list(records), redate, datetime.now(UTC)))
        out.print(
            f"[yellow]Dates are not the real ones:[/] mapped in order into the last {redate} days; "
            "each document keeps its own in original_published_at."
        )
    with GooglePubsub(settings) as broker, _progress() as progress:
        broker.require_topic()
        task = progress.add_task("publishing", total=reading.count(paths))
        published = publisher.publish(
            broker,
            records,
            batch_id,
            ordering_key,
            limit,
            lambda: progress.advance(task),
        )
    report_refused(published.refused)
    out.print(
        f"{published.sent:,} published to {settings.topic}, {len(published.refused):,} refused; "
        f"batch {published.batch_id}",
        markup=False,
    )
    if published.refused and not published.sent:
        raise typer.Exit(1)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Where the received messages are, in all and per batch, and what the calls cost."""
    from orchestration.resources.postgres import connect
    from orchestration.scoring.status import status as read_status

    with connect(PostgresSettings.load(), "supplier-risk status") as connection:
        found = read_status(connection)
    if as_json:
        print(json.dumps(found, default=str))
    else:
        for table in terminal.status_tables(found):
            out.print(table)


def call(
    response_id: Annotated[int, typer.Argument(help="Number of the answer, as in risk_evidence.")],
) -> None:
    """One call to the LLM: prompt, answer, model, tokens, cost, attempts."""
    from orchestration.resources.postgres import connect
    from orchestration.scoring.ledger import find_call

    with connect(PostgresSettings.load(), "supplier-risk call") as connection:
        found = find_call(connection, response_id)
    if found is None:
        raise UsageError(f"There is no answer {response_id}; numbers stand in marts.risk_evidence.")
    for part in terminal.call_parts(found):
        out.print(part)


def report_refused(refused: Sequence[tuple[str, "Rejected"]]) -> None:
    """A line for each: its place and why it was left out."""
    for place, rejected in refused:
        line = terminal.plain(f"{place}: {rejected.reason}: {rejected.detail}")
        err.print(line, style="red", markup=False)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not sys.stderr.isatty(),
    )
