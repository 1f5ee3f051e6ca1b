"""`review`: findings for a person to judge, what that person says, and how far people agree."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from orchestration.errors import UsageError
from orchestration.settings import PostgresSettings
from orchestration.terminal import out, plain

if TYPE_CHECKING:
    from orchestration.history.review import Label
    from orchestration.history.sampling import Sample
    from orchestration.scoring.agreement import Agreement

_APPLICATION = "supplier-risk review"

review = typer.Typer(
    no_args_is_help=True, help="What people say of findings: show, label, export, import, agree."
)

Generation = Annotated[
    int | None, typer.Option(metavar="N", help="Of this generation instead of what is current.")
]
Reason = Annotated[
    str | None,
    typer.Option(help="Only unverified, low_confidence, disagreement, random or no_risk."),
]
Seed = Annotated[int, typer.Option(help="Another one draws others.")]
By = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who says so; default: your name here.")
]


@review.command("next")
def show_next(
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    generation: Generation = None,
    reason: Reason = None,
    seed: Seed = 0,
) -> None:
    """Findings that nobody has labelled yet: those in doubt, others by lot, and empty answers."""
    for shown in _sample(count, generation, reason, seed):
        out.print(_panel(shown))


@review.command("label")
def add_label(
    finding_id: Annotated[
        int | None, typer.Argument(metavar="FINDING_ID", help="As `review next` shows it.")
    ] = None,
    assessment: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Instead of a finding: an answer that found nothing."),
    ] = None,
    agrees: Annotated[bool, typer.Option("--agree", help="It is right.")] = False,
    disagrees: Annotated[bool, typer.Option("--disagree", help="It is wrong.")] = False,
    level: Annotated[
        int | None,
        typer.Option(min=0, max=5, metavar="N", help="It is wrong: this level is right; 0: none."),
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why, for whoever reads the labels.")] = None,
    by: By = None,
) -> None:
    """Say what you think of one finding, or of an answer that found nothing."""
    from orchestration.history.review import Label, label, reviewer
    from orchestration.resources.postgres import connect

    if agrees == (disagrees or level is not None):
        raise UsageError("Say one of --agree, --disagree and --level N.")
    said = Label("agree" if agrees else "disagree", finding_id, assessment, level, note or None)
    made_by = reviewer(by)
    with connect(PostgresSettings.load(), _APPLICATION) as connection:
        is_new = label(connection, said, made_by)
    out.print(Text(plain(_sentence(said, made_by, is_new))))


@review.command("export")
def export_sample(
    path: Annotated[Path, typer.Argument(metavar="FILE.csv", help="For a spreadsheet.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    generation: Generation = None,
    reason: Reason = None,
    seed: Seed = 0,
    force: Annotated[bool, typer.Option("--force", help="Write over the file.")] = False,
) -> None:
    """Write what `review next` would show to a CSV, with empty columns for your words."""
    from orchestration.history.review_csv import export_csv

    samples = _sample(count, generation, reason, seed)
    if samples:
        export_csv(path, samples, force)
        out.print(
            f"{len(samples):,} written to {path}. Write agree or disagree into verdict, then: "
            f"supplier-risk review import {path}",
            markup=False,
        )


@review.command("import")
def import_labels(
    path: Annotated[Path, typer.Argument(metavar="FILE.csv", help="What `export` wrote, filled.")],
    by: By = None,
) -> None:
    """Add the labels of a CSV, or none of them where a line is at fault; may be repeated."""
    from orchestration.history.review import reviewer
    from orchestration.history.review_csv import import_csv
    from orchestration.resources.postgres import connect

    made_by = reviewer(by)
    with connect(PostgresSettings.load(), _APPLICATION) as connection:
        done = import_csv(connection, path, made_by)
    out.print(
        f"{done.added:,} labels added, {done.known:,} known before, "
        f"{done.skipped:,} rows without a verdict"
    )


@review.command("agreement")
def show_agreement() -> None:
    """How far people agree, for each model and prompt version."""
    from orchestration.resources.postgres import connect
    from orchestration.scoring.agreement import agreement

    with connect(PostgresSettings.load(), _APPLICATION) as connection:
        rows = agreement(connection)
    if rows:
        out.print(_agreement_table(rows))
    else:
        out.print("Nobody has labelled anything yet: supplier-risk review next")


def _sample(
    count: int, generation: int | None, reason: str | None, seed: int
) -> "Sequence[Sample]":
    from orchestration.history.sampling import sample
    from orchestration.resources.postgres import connect

    with connect(PostgresSettings.load(), _APPLICATION) as connection:
        samples = sample(connection, count, generation, reason, seed)
    if not samples:
        out.print("Nothing is left to label.")
    return samples


def _panel(sample: "Sample") -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(sample):
        table.add_row(name, Text(plain(value)))
    if sample.finding_id is None:
        title, command = (
            f"assessment {sample.assessment_id}",
            f"--assessment {sample.assessment_id}",
        )
        choices = "--agree | --disagree"
    else:
        title, command = f"finding {sample.finding_id}", f"{sample.finding_id}"
        choices = "--agree | --level N | --disagree"
    how = Text(f"supplier-risk review label {command} {choices}", style="dim")
    return Panel(Group(table, how), title=f"{title}: {sample.reason}", title_align="left")


def _lines(sample: "Sample") -> Iterator[tuple[str, str]]:
    yield "supplier", f"{sample.supplier_name} ({sample.supplier_id}) in {sample.country}"
    yield "document", sample.title or "(no title)"
    yield "publisher", "; ".join(part for part in (sample.publisher, sample.url) if part)
    if sample.finding_id is None:
        yield "found", "nothing"
    else:
        yield (
            "found",
            f"{sample.dimension}, level {sample.level}, {sample.status}, {sample.event_type}",
        )
        yield "quote", f"“{sample.quote}”"
    yield "passage", sample.passage
    if sample.rationale:
        yield "rationale", sample.rationale
    yield "by", f"{sample.model}, {sample.prompt_version}"


def _sentence(said: "Label", made_by: str, is_new: bool) -> str:
    level = "" if said.corrected_level is None else f", level {said.corrected_level} is right"
    verb = "says" if is_new else "said so before, nothing was added:"
    return f"{made_by} {verb} {said.verdict} of {said.subject}{level}"


def _agreement_table(rows: "Sequence[Agreement]") -> Table:
    table = Table(
        title="How far people agree",
        title_justify="left",
        caption="Interval: 95 %, Wilson. Of findings that were shown because they are in doubt, "
        "more are wrong than of all.",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("model", "prompt version"):
        table.add_column(heading, overflow="fold")
    for heading in ("labels", "agreed", "share", "interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        share = "-" if row.share is None else f"{row.share:.0%}"
        bounds = row.interval
        interval = "-" if bounds is None else f"{bounds[0]:.0%} to {bounds[1]:.0%}"
        names = (Text(plain(row.model)), Text(plain(row.prompt_version)))
        table.add_row(*names, f"{row.labels:,}", f"{row.agreed:,}", share, interval)
    return table
