"""`rollback`: take back what was written, undo that, and list what was taken back."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from orchestration.cli import choices
from orchestration.errors import UsageError
from orchestration.settings import PostgresSettings
from orchestration.terminal import out, plain

if TYPE_CHECKING:
    from orchestration.history.rollback import Retraction
    from orchestration.resources.postgres import Connection

_SHOWN_PAIRS = 10


def rollback(
    generations: choices.Generations = None,
    runs: choices.Runs = None,
    prompt_versions: choices.PromptVersions = None,
    models: choices.Models = None,
    suppliers: choices.Suppliers = None,
    countries: choices.Countries = None,
    documents: choices.Documents = None,
    sources: choices.Sources = None,
    batches: choices.Batches = None,
    states: choices.States = None,
    since: choices.Since = None,
    before: choices.Before = None,
    everything: choices.Everything = False,
    reason: choices.Reason = "",
    made_by: choices.MadeBy = None,
    is_dry_run: choices.DryRun = False,
    undone: Annotated[
        int | None, typer.Option("--undo", help="Number of a rollback to undo.", metavar="ID")
    ] = None,
    is_list: Annotated[
        bool, typer.Option("--list", help="All rollbacks, the newest first.")
    ] = False,
) -> None:
    """Take back assessments and briefs; nothing is deleted, and --undo restores them."""
    from orchestration.history import rollback as history
    from orchestration.resources.postgres import connect

    selection = choices.selection(
        generations=generations,
        runs=runs,
        prompt_versions=prompt_versions,
        models=models,
        suppliers=suppliers,
        countries=countries,
        documents=documents,
        sources=sources,
        batches=batches,
        states=states,
        since=since,
        before=before,
    )
    if (is_list or undone is not None) and not selection.is_empty:
        raise UsageError("--list and --undo take no selection: a rollback has kept its own.")
    with connect(PostgresSettings.load(), "supplier-risk rollback") as connection:
        if is_list:
            out.print(_list_table(history.retractions(connection)))
        elif undone is not None:
            done = history.undo(connection, undone, choices.who(made_by))
            _show(connection, done, f"Rollback {undone} is undone")
        elif is_dry_run:
            planned = history.plan(connection, selection, everything)
            _show(connection, planned, "Nothing was changed. A rollback would take back")
        else:
            who = choices.who(made_by)
            done = history.roll_back(connection, selection, reason, who, everything)
            _show(connection, done, f"Rollback {done.retraction_id} took back")
            out.print(f"Undo it with `supplier-risk rollback --undo {done.retraction_id}`.")


def _show(connection: "Connection", done: "Retraction", what: str) -> None:
    from orchestration.history.promotion import generations

    out.print(
        f"{what}: {done.assessments:,} assessments and {done.briefs:,} briefs of "
        f"{len(done.pairs):,} pairs"
    )
    more = len(done.pairs) - _SHOWN_PAIRS
    out.print(", ".join(done.pairs[:_SHOWN_PAIRS]) + (f" and {more:,} more" if more > 0 else ""))
    if done.instead:
        models = {row["generation_id"]: row["model"] for row in generations(connection)}
        out.print(_instead_table(done.instead, models))


def _instead_table(instead: Mapping[int | None, int], models: Mapping[int, str]) -> Table:
    table = Table(
        title="What is current instead, of the documents that it is about",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("documents", justify="right", no_wrap=True)
    table.add_column("generation", justify="right", no_wrap=True)
    table.add_column("model", overflow="fold")
    for generation, mentions in instead.items():
        shown = ("none", "") if generation is None else (f"{generation}", models[generation])
        table.add_row(f"{mentions:,}", shown[0], Text(plain(shown[1])))
    return table


def _list_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Rollbacks", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("made (UTC)", no_wrap=True)
    for heading in ("by", "reason", "selection"):
        table.add_column(heading, overflow="fold")
    for heading in ("assessments", "briefs"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("undone (UTC)", overflow="fold")
    for row in rows:
        parts = ", ".join(f"{part}: {_values(value)}" for part, value in row["filter"].items())
        undone = row["undone_at"]
        table.add_row(
            f"{row['retraction_id']}",
            f"{row['made_at'].astimezone(UTC):%Y-%m-%d %H:%M}",
            Text(plain(row["made_by"])),
            Text(plain(row["reason"])),
            Text(plain(parts or "everything")),
            f"{row['assessments']:,}",
            f"{row['briefs']:,}",
            Text(plain(f"{undone.astimezone(UTC):%Y-%m-%d %H:%M} by {row['undone_by']}"))
            if undone
            else "",
        )
    return table


def _values(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
