"""The options that say which documents or answers are meant, for every command that takes some.

Each may be given several times: any of its values will do. Of several options all must agree.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from orchestration.history.selection import Selection

Suppliers = Annotated[
    list[str] | None, typer.Option("--supplier", help="Id in the supplier master.")
]
Countries = Annotated[list[str] | None, typer.Option("--country", help="ISO code, such as DE.")]
Batches = Annotated[list[str] | None, typer.Option("--batch", help="Batch of the message.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Source of the document.")]
Documents = Annotated[list[UUID] | None, typer.Option("--document", help="Id of a document.")]
Generations = Annotated[
    list[int] | None, typer.Option("--generation", help="Number of the generation.")
]
Runs = Annotated[list[str] | None, typer.Option("--run", help="Dagster run that concluded it.")]
PromptVersions = Annotated[
    list[str] | None,
    typer.Option("--prompt-version", help="Such as risk_findings-1f0c2a9b7d3e."),
]
Models = Annotated[list[str] | None, typer.Option("--model", help="Model that answered.")]
States = Annotated[
    list[str] | None,
    typer.Option("--state", help="dead, refused, unverified or low_confidence."),
]
Since = Annotated[datetime | None, typer.Option(help="At this time (UTC) or later.")]
Before = Annotated[datetime | None, typer.Option(help="Before this time (UTC).")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]
MadeBy = Annotated[
    str | None, typer.Option("--by", help="Who does it; default: your name on this machine.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
Everything = Annotated[bool, typer.Option("--all", help="All there is.")]


def selection(
    *, since: datetime | None = None, before: datetime | None = None, **parts: Sequence[Any] | None
) -> "Selection":
    """The options as a selection, by the names of its parts; what was not given leaves nothing
    out."""
    from orchestration.history.selection import Selection

    values = {name: tuple(given or ()) for name, given in parts.items()}
    return Selection(**values, since=_in_utc(since), before=_in_utc(before))


def who(made_by: str | None) -> str:
    """The name that is kept. Raises UsageError where there is none."""
    from orchestration.history.review import reviewer

    return reviewer(made_by)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
