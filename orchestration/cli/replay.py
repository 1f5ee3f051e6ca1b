"""`replay`: read documents again; with --dry-run, what that would take."""

from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer
from rich import box
from rich.table import Table

from orchestration.cli import choices
from orchestration.settings import IngestSettings, LlmSettings, PostgresSettings
from orchestration.terminal import money, out

if TYPE_CHECKING:
    from orchestration.history.replay import Opened, Plan
    from orchestration.resources.postgres import Connection

WithModel = Annotated[
    str | None, typer.Option(help="Model that reads them; default: LLM_MODEL.", metavar="MODEL")
]


def replay(
    suppliers: choices.Suppliers = None,
    countries: choices.Countries = None,
    batches: choices.Batches = None,
    sources: choices.Sources = None,
    documents: choices.Documents = None,
    states: choices.States = None,
    prompt_versions: choices.PromptVersions = None,
    models: choices.Models = None,
    generations: choices.Generations = None,
    runs: choices.Runs = None,
    since: choices.Since = None,
    before: choices.Before = None,
    everything: choices.Everything = False,
    with_model: WithModel = None,
    is_fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask even what the cache knows.")
    ] = False,
    reason: choices.Reason = "",
    made_by: choices.MadeBy = None,
    is_dry_run: choices.DryRun = False,
    is_here: Annotated[
        bool, typer.Option("--here", help="Read them in this process, not in runs of Dagster.")
    ] = False,
) -> None:
    """Read documents again: all or some, with another model, or asked anew."""
    from orchestration.history.replay import Wish, open_replay, plan
    from orchestration.resources.postgres import connect

    selection = choices.selection(
        suppliers=suppliers,
        countries=countries,
        batches=batches,
        sources=sources,
        documents=documents,
        states=states,
        prompt_versions=prompt_versions,
        models=models,
        generations=generations,
        runs=runs,
        since=since,
        before=before,
    )
    wanted = Wish(selection, reason, choices.who(made_by), with_model, is_fresh, everything)
    llm = LlmSettings.load()
    with connect(PostgresSettings.load(), "supplier-risk replay") as connection:
        if is_dry_run:
            out.print(_plan_table(plan(connection, llm, wanted)))
            return
        opened = open_replay(connection, llm, wanted)
        out.print(str(opened)[0].upper() + str(opened)[1:] + ".")
        if is_here:
            _read_here(connection, llm, opened.generation_id)
        else:
            out.print(_what_happens(opened))


def _plan_table(planned: "Plan") -> Table:
    table = Table(title=f"A replay with {planned.model}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("what")
    table.add_column("how many", justify="right", no_wrap=True)
    rows = {
        "documents of suppliers": planned.mentions,
        "pairs of supplier and country": planned.pairs,
        "assessed by these prompts and this model already": planned.done,
        "answered by the cache": planned.from_cache,
        "calls to pay": planned.calls,
        "tokens in, estimated": planned.input_tokens,
        "tokens out, estimated": planned.output_tokens,
    }
    for what, number in rows.items():
        table.add_row(what, f"{number:,}")
    cost = None if planned.cost_usd is None else float(planned.cost_usd)
    table.add_row("cost, estimated", money(cost), style="bold")
    written = "what the stream lacks" if planned.is_of_the_stream else "a generation in the shadow"
    table.caption = (
        f"It would write {written}. Nothing was asked or written now.\n"
        f"Not in it: up to {planned.pairs:,} briefs, which follow from what is found."
    )
    table.caption_justify = "left"
    return table


def _read_here(connection: "Connection", llm: LlmSettings, generation_id: int) -> None:
    from orchestration.history.replay_work import work

    run_id, limits = f"cli-{uuid4()}", IngestSettings.load()
    while True:
        done = work(connection, llm, limits, run_id, generation_id)
        if done.result.outage:
            raise done.result.outage
        out.print(
            f"{done.report.outcomes['scored']:,} documents read, {sum(done.dead.values()):,} dead; "
            f"{done.pairs_left:,} pairs left"
        )
        if done.result.stopped:
            out.print(f"Stopped: {done.result.stopped}", markup=False)
        if done.result.stopped or not done.pairs_left or not done.result.pairs:
            return


def _what_happens(opened: "Opened") -> str:
    if opened.kind == "stream":
        return (
            "The next scoring run takes what the stream lacks; `supplier-risk status` follows it."
        )
    return (
        "replay_sensor starts runs for it. `supplier-risk generations list` shows how far they "
        "are; then compare it, and promote or discard it: `supplier-risk generations compare "
        f"{opened.generation_id}`."
    )
