"""`pubsub`: topics, subscriptions and grants as they must be."""

import itertools
from collections.abc import Iterator, Sequence

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from orchestration.resources.finding import Finding
from orchestration.settings import PubsubSettings
from orchestration.terminal import out, plain

_STYLES = {"ok": "green", "wrong": "red", "unknown": "yellow"}

pubsub = typer.Typer(no_args_is_help=True, help="The topics and subscriptions of Pub/Sub.")


@pubsub.command("setup")
def setup_pubsub() -> None:
    """Create topics and subscriptions, dead letters included, and mend them; then check."""
    from orchestration.resources import pubsub_setup
    from orchestration.resources.pubsub import GooglePubsub

    settings = PubsubSettings.load()
    with GooglePubsub(settings) as broker:
        for line in pubsub_setup.setup(broker, settings) or ["nothing to change"]:
            out.print(plain(line), markup=False, highlight=False)
        _show_findings(pubsub_setup.check(broker, settings))


@pubsub.command("check")
def check_pubsub() -> None:
    """What is missing or wrong, with the gcloud commands that mend it; changes nothing."""
    from orchestration.resources import pubsub_setup
    from orchestration.resources.pubsub import GooglePubsub

    settings = PubsubSettings.load()
    with GooglePubsub(settings) as broker:
        _show_findings(pubsub_setup.check(broker, settings))


def _show_findings(findings: "list[Finding]") -> None:
    out.print(_table(findings))
    for line in _fixes(findings):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(title="Pub/Sub", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("part", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("fix", justify="right", no_wrap=True)
    for finding, number in _numbered(findings):
        state = Text(finding.state, style=_STYLES[finding.state])
        table.add_row(Text(plain(finding.part)), state, Text(plain(finding.what)), number)
    return table


def _fixes(findings: Sequence[Finding]) -> Iterator[str]:
    """Under their numbers, not in the table: a cell would cut a command into pieces."""
    for finding, number in _numbered(findings):
        if number:
            yield f"fix {number}:\n{plain(finding.fix)}"


def _numbered(findings: Sequence[Finding]) -> Iterator[tuple[Finding, str]]:
    numbers = itertools.count(1)
    for finding in findings:
        yield finding, str(next(numbers)) if finding.fix else ""
