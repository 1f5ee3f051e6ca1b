"""`db`, `suppliers`: the schema, and the supplier master in it."""

from datetime import UTC
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from orchestration.settings import IngestSettings, PostgresSettings
from orchestration.terminal import out, plain

database = typer.Typer(no_args_is_help=True, help="The pipeline's database schema.")
master = typer.Typer(no_args_is_help=True, help="The supplier master.")


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


@master.command("candidates")
def list_candidates(
    limit: Annotated[int, typer.Option(min=1, help="How many, the most documents first.")] = 50,
) -> None:
    """Companies that documents name as affected and that the master lacks."""
    from orchestration.resources.postgres import connect
    from orchestration.scoring.supplier_candidates import listing

    with connect(PostgresSettings.load(), "supplier-risk suppliers") as connection:
        rows = listing(connection, limit)
    table = Table(title="Supplier candidates", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("documents", justify="right", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("countries")
    table.add_column("first seen (UTC)", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row['documents']:,}",
            Text(plain(row["name"])),
            ", ".join(row["countries"]),
            f"{row['first_seen_at'].astimezone(UTC):%Y-%m-%d %H:%M}",
        )
    out.print(table)


def database_trouble(error: psycopg.OperationalError) -> str:
    """What a person is told of a database that is away, or went away."""
    text = str(error).strip()
    if text.startswith("PostgreSQL"):
        return text
    return (
        f"PostgreSQL went away: {text}\nWhat to do: is it up (`supplier-risk local status`)? Then "
        "run the same command again: what was committed stays, and is not done twice."
    )
