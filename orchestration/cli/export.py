"""`export`: questions and good answers as JSONL, for fine-tuning and evaluation."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli import choices
from orchestration.settings import PostgresSettings
from orchestration.terminal import out


def export(
    path: Annotated[Path, typer.Argument(help="File to write, such as pairs.jsonl.")],
    suppliers: choices.Suppliers = None,
    countries: choices.Countries = None,
    sources: choices.Sources = None,
    batches: choices.Batches = None,
    prompt_versions: choices.PromptVersions = None,
    models: choices.Models = None,
    generations: choices.Generations = None,
    runs: choices.Runs = None,
    since: choices.Since = None,
    before: choices.Before = None,
    everything: choices.Everything = False,
    is_bare: Annotated[
        bool, typer.Option("--bare", help="Only the messages, as fine-tuning endpoints take them.")
    ] = False,
    may_replace: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write prompts and their good answers as JSONL in OpenAI's chat format, with their labels."""
    from orchestration.history.export import export as write
    from orchestration.resources.postgres import connect

    wanted = choices.selection(
        suppliers=suppliers,
        countries=countries,
        sources=sources,
        batches=batches,
        prompt_versions=prompt_versions,
        models=models,
        generations=generations,
        runs=runs,
        since=since,
        before=before,
    )
    with connect(PostgresSettings.load(), "supplier-risk export") as connection:
        done = write(
            connection,
            path,
            wanted,
            everything=everything,
            is_bare=is_bare,
            may_replace=may_replace,
        )
    reasons = "".join(f"; {count:,} left out: {why}" for why, count in done.left_out.items())
    out.print(f"{done.written:,} answers written to {path}{reasons}", markup=False)
