"""`supplier-risk ...`: thin over the functions that the jobs call.

Exit code 2 means wrong use, 1 failure.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orchestration import terminal
from orchestration.errors import SupplierRiskError, UsageError
from orchestration.resources.finding import Finding
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings
from orchestration.terminal import err, out

if TYPE_CHECKING:
    from orchestration.ingestion.message import Rejected

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Supplier risk from the news.",
)
database = typer.Typer(no_args_is_help=True, help="The pipeline's database schema.")
master = typer.Typer(no_args_is_help=True, help="The supplier master.")
pubsub = typer.Typer(no_args_is_help=True, help="The topics and subscriptions of Pub/Sub.")
feeds = typer.Typer(no_args_is_help=True, help="News feeds: RSS and Atom.")
app.add_typer(database, name="db")
app.add_typer(master, name="suppliers")
app.add_typer(pubsub, name="pubsub")
app.add_typer(feeds, name="feeds")


@app.command()
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
    _report_refused(published.refused)
    out.print(
        f"{published.sent:,} published to {settings.topic}, {len(published.refused):,} refused; "
        f"batch {published.batch_id}",
        markup=False,
    )
    if published.refused and not published.sent:
        raise typer.Exit(1)


@app.command()
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


@app.command()
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


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the schema to its newest version and set the roles' passwords."""
    from orchestration.migrations import upgrade

    settings = PostgresSettings.load()
    upgrade(settings)
    out.print(f"{settings.database} at {settings.host}:{settings.port} is up to date", markup=False)


@master.command("load")
def load_suppliers(
    csv: Annotated[Path | None, typer.Argument(help="Default: INGEST_SUPPLIERS_CSV.")] = None,
) -> None:
    """Make the master in the database equal to a CSV; old versions stay."""
    from orchestration.ingestion import suppliers
    from orchestration.ingestion.supplier_csv import read_csv
    from orchestration.resources.postgres import connect

    wanted = read_csv(csv or IngestSettings.load().suppliers_csv)
    with connect(PostgresSettings.load(), "supplier-risk suppliers") as connection:
        changed = suppliers.load(connection, wanted)
    out.print(f"{len(wanted):,} suppliers, {changed:,} changed")


@pubsub.command("setup")
def setup_pubsub() -> None:
    """Create topics and subscriptions, dead letters included, and mend them; then check."""
    from orchestration.resources import pubsub_setup
    from orchestration.resources.pubsub import GooglePubsub

    settings = PubsubSettings.load()
    with GooglePubsub(settings) as broker:
        for line in pubsub_setup.setup(broker, settings) or ["nothing to change"]:
            out.print(terminal.plain(line), markup=False, highlight=False)
        _show_findings(pubsub_setup.check(broker, settings))


@pubsub.command("check")
def check_pubsub() -> None:
    """What is missing or wrong, with the gcloud commands that mend it; changes nothing."""
    from orchestration.resources import pubsub_setup
    from orchestration.resources.pubsub import GooglePubsub

    settings = PubsubSettings.load()
    with GooglePubsub(settings) as broker:
        _show_findings(pubsub_setup.check(broker, settings))


def _show_findings(findings: "list[Finding]") -> None:
    out.print(terminal.findings_table(findings))
    for line in terminal.fixes(findings):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


@feeds.command("poll")
def poll_feeds(
    everything: Annotated[
        bool, typer.Option("--all", help="Every enabled source, also what is not due.")
    ] = False,
) -> None:
    """Read the feeds that are due and publish what is new or changed in them."""
    from orchestration.ingestion.feed_sources import read_sources
    from orchestration.ingestion.feeds import Poller, require_one_success
    from orchestration.resources.postgres import connect
    from orchestration.resources.pubsub import GooglePubsub

    settings = IngestSettings.load()
    sources = read_sources(settings.feeds_yaml)
    with (
        GooglePubsub(PubsubSettings.load()) as broker,
        connect(PostgresSettings.load(), "supplier-risk feeds") as connection,
    ):
        broker.require_topic()
        poller = Poller(connection, broker, settings, datetime.now(UTC))
        results = poller.poll(sources, only_due=not everything)
    _report_refused([refusal for result in results for refusal in result.refused])
    if results:
        rows = [{"source": result.source, **result.summary()} for result in results]
        out.print(terminal.feed_results_table(rows))
    else:
        out.print("No source is enabled and due; `supplier-risk feeds list` says when one is.")
    require_one_success(results)


@feeds.command("list")
def list_feeds() -> None:
    """The sources of INGEST_FEEDS_YAML, when each is due, and what went wrong."""
    from orchestration.ingestion.feed_sources import read_sources
    from orchestration.ingestion.feed_state import load_states
    from orchestration.resources.postgres import connect

    sources = read_sources(IngestSettings.load().feeds_yaml)
    with connect(PostgresSettings.load(), "supplier-risk feeds") as connection:
        states = load_states(connection)
    known = {name: vars(state) for name, state in states.items()}
    rows = [{**known.get(source.name, {}), **source.model_dump()} for source in sources]
    out.print(terminal.feeds_table(rows))


def _add_local_commands() -> None:
    """The embedded stack is an extra: without it the other commands work all the same."""
    try:
        from orchestration.local.commands import demo, local
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("orchestration"):
            raise
        return
    app.add_typer(local, name="local")
    app.command()(demo)


def _report_refused(refused: Sequence[tuple[str, "Rejected"]]) -> None:
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


def main() -> None:
    """Entry point: errors as a sentence, and their exit code."""
    try:
        app()
    except SupplierRiskError as error:
        err.print(f"Error: {error}", style="red", markup=False)
        raise SystemExit(error.exit_code) from None
    except psycopg.OperationalError as error:
        err.print(
            f"Error: PostgreSQL cannot be reached: {error}Is it up? `supplier-risk local status`",
            style="red",
            markup=False,
        )
        raise SystemExit(1) from None


_add_local_commands()

if __name__ == "__main__":
    main()
