"""`supplier-risk ...`: thin over the functions that the jobs call.

Exit code 2 means wrong use, 1 failure.
"""

import psycopg
import typer

from orchestration.cli import documents
from orchestration.cli.alerts import alerts
from orchestration.cli.dashboards import dashboards
from orchestration.cli.database import database, database_trouble, master
from orchestration.cli.dead_letters import dead_letters
from orchestration.cli.explain import explain
from orchestration.cli.export import export
from orchestration.cli.feeds import feeds
from orchestration.cli.generations import generations
from orchestration.cli.ingest import ingest
from orchestration.cli.injection import injection_report
from orchestration.cli.pubsub import pubsub
from orchestration.cli.replay import replay
from orchestration.cli.retention import purge
from orchestration.cli.review import review
from orchestration.cli.rollback import rollback
from orchestration.cli.search import search
from orchestration.errors import SupplierRiskError
from orchestration.terminal import err

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Supplier risk from the news.",
)
for command in (
    *(documents.publish, documents.status, documents.call, ingest, injection_report),
    *(replay, rollback, explain, search, export, purge),
):
    app.command()(command)
app.add_typer(generations, name="generations")
app.add_typer(alerts, name="alerts")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(review, name="review")
app.add_typer(master, name="suppliers")
app.add_typer(feeds, name="feeds")
app.add_typer(pubsub, name="pubsub")
app.add_typer(dashboards, name="dashboards")
app.add_typer(database, name="db")


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


def main() -> None:
    """Entry point: errors as a sentence, and their exit code."""
    try:
        app()
    except SupplierRiskError as error:
        err.print(f"Error: {error}", style="red", markup=False)
        raise SystemExit(error.exit_code) from None
    except psycopg.OperationalError as error:
        err.print(f"Error: {database_trouble(error)}", style="red", markup=False)
        raise SystemExit(1) from None


_add_local_commands()
