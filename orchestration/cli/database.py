"""`db`, `suppliers`: the schema, and the supplier master in it."""

from pathlib import Path
from typing import Annotated

import psycopg
import typer

from orchestration.settings import IngestSettings, PostgresSettings
from orchestration.terminal import out

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


def database_trouble(error: psycopg.OperationalError) -> str:
    """What a person is told of a database that is away, or went away."""
    text = str(error).strip()
    if text.startswith("PostgreSQL"):
        return text
    return (
        f"PostgreSQL went away: {text}\nWhat to do: is it up (`supplier-risk local status`)? Then "
        "run the same command again: what was committed stays, and is not done twice."
    )
