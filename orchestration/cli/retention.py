"""`purge`: the bodies of old prompts and answers go, what they cost stays."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestration.settings import HistorySettings, PostgresSettings
from orchestration.terminal import out


def purge(
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be purged.")
    ] = False,
) -> None:
    """Purge the bodies of prompts and answers that are older than the settings say."""
    from orchestration.history import retention
    from orchestration.resources.postgres import connect

    wanted = retention.limits(HistorySettings.load(), datetime.now(UTC))
    with connect(PostgresSettings.load(), "supplier-risk purge") as connection:
        do = retention.count if is_dry_run else retention.purge
        counts = do(connection, wanted)
    verb = "would be purged" if is_dry_run else "purged"
    out.print(retention.sentence(counts, wanted, verb), markup=False)
