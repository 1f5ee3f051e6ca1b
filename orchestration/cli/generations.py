"""`generations`: what each model and prompt wrote: list, compare, promote, discard."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from orchestration.cli import choices
from orchestration.errors import UsageError
from orchestration.settings import HistorySettings, PostgresSettings
from orchestration.terminal import money, out, plain

if TYPE_CHECKING:
    from orchestration.history.comparison import Comparison

generations = typer.Typer(
    no_args_is_help=True,
    help="What each model with its prompts wrote: list, compare, promote, discard.",
)

Number = Annotated[int, typer.Argument(help="Number of the generation, as in the list.")]


@generations.command("list")
def list_generations() -> None:
    """All generations, the newest first."""
    from orchestration.history.promotion import generations as read
    from orchestration.resources.postgres import connect

    with connect(PostgresSettings.load(), "supplier-risk generations") as connection:
        out.print(_list_table(read(connection)))


@generations.command("compare")
def compare_generations(
    generation_id: Number,
    base_generation_id: Annotated[
        int | None,
        typer.Option(
            "--base", help="With which; default: the older one that read most of the same."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many score differences.")] = 20,
) -> None:
    """Two generations over the documents that both have read: findings, agreement, cost, scores."""
    from orchestration.history import comparison
    from orchestration.resources.postgres import connect

    with connect(PostgresSettings.load(), "supplier-risk generations") as connection:
        base = base_generation_id or comparison.natural_base(connection, generation_id)
        if base is None:
            raise UsageError(
                f"There is no older generation that read a document of generation {generation_id}; "
                "say which with --base."
            )
        found = comparison.compare(connection, base, generation_id)
        rows = comparison.scores(connection, base, generation_id, limit)
    out.print(_comparison_table(found))
    out.print(_scores_table(rows, limit))


@generations.command("promote")
def promote_generation(
    generation_id: Number,
    is_forced: Annotated[
        bool, typer.Option("--force", help="Even if people disagree with it; needs --reason.")
    ] = False,
    reason: choices.Reason = "",
    made_by: choices.MadeBy = None,
) -> None:
    """Let a generation count from now on; it is refused where people disagree with it."""
    from orchestration.history.promotion import promote
    from orchestration.resources.postgres import connect

    if is_forced and not reason.strip():
        raise UsageError("Say why it is forced: --reason is kept with the generation.")
    with connect(PostgresSettings.load(), "supplier-risk generations") as connection:
        because = reason if is_forced else None
        settings, who = HistorySettings.load(), choices.who(made_by)
        pairs = promote(connection, generation_id, who, settings, because)
    out.print(f"Generation {generation_id} counts now: {pairs:,} pairs; the marts follow.")


@generations.command("discard")
def discard_generation(
    generation_id: Number, reason: choices.Reason = "", made_by: choices.MadeBy = None
) -> None:
    """Let a replay's generation count no more, and leave the rest of its work undone."""
    from orchestration.history.promotion import discard
    from orchestration.resources.postgres import connect

    with connect(PostgresSettings.load(), "supplier-risk generations") as connection:
        pairs = discard(connection, generation_id, choices.who(made_by), reason)
    out.print(f"Generation {generation_id} is discarded: {pairs:,} pairs; the marts follow.")


def _list_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Generations", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("id", justify="right", no_wrap=True)
    for heading in ("kind", "status", "opened (UTC)"):
        table.add_column(heading, no_wrap=True)
    for heading in ("model", "findings prompt", "why"):
        table.add_column(heading, overflow="fold")
    for heading in ("assessed", "open", "dead", "calls", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        cost = row["cost_usd"]
        table.add_row(
            f"{row['generation_id']}",
            row["kind"],
            row["status"],
            f"{row['opened_at'].astimezone(UTC):%Y-%m-%d %H:%M}",
            Text(plain(row["model"])),
            row["prompt_versions"]["risk_findings"].removeprefix("risk_findings-"),
            Text(plain("; ".join(filter(None, (row["reason"], row["decision"]))))),
            *(f"{row[n]:,}" for n in ("assessments", "open_items", "dead_items", "calls")),
            money(None if cost is None else float(cost)),
        )
    return table


def _comparison_table(found: "Comparison") -> Table:
    table = Table(
        title=f"{found.documents:,} documents that both have read",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("")
    for number in (found.base_generation_id, found.generation_id):
        table.add_column(f"generation {number}", justify="right", no_wrap=True)
    costs = (found.base_cost_usd, found.cost_usd)
    table.add_row("risk findings", f"{found.base_findings:,}", f"{found.findings:,}")
    table.add_row("found by it alone", f"{found.lost:,}", f"{found.gained:,}")
    table.add_row("cost of all it asked", *(money(None if c is None else float(c)) for c in costs))
    if found.agreement is None:
        table.caption = "Neither found a risk in them."
    else:
        table.caption = (
            f"The same highest level in {found.agreed:,} of {found.judged:,} documents with a "
            f"risk: {found.agreement:.0%} agreement."
        )
    table.caption_justify = "left"
    return table


def _scores_table(rows: Sequence[Mapping[str, Any]], limit: int) -> Table:
    table = Table(
        title="Largest differences of scores (100 = highest risk), on these documents alone",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("supplier", "country", "dimension"):
        table.add_column(heading, overflow="fold")
    for heading in ("before", "after", "difference", "gained", "lost", "agreed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(plain(row["supplier_name"])),
            row["country"],
            row["dimension"],
            _score(row["base_score"]),
            _score(row["score"]),
            f"{row['score_difference']:+.1f}",
            f"{row['gained_findings']:,}",
            f"{row['lost_findings']:,}",
            f"{row['agreed_documents']:,} of {row['judged_documents']:,}",
        )
    if not rows:
        table.caption = (
            "The marts do not know of it yet: they are refreshed after each run. `supplier-risk "
            "generations list` says whether its work is done."
        )
    elif len(rows) == limit:
        table.caption = "More stand in marts.generation_comparison, or with --limit."
    return table


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.1f}"
