"""`feeds`: RSS and Atom sources, read now, and how they stand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from orchestration.cli.documents import report_refused
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings
from orchestration.terminal import out, plain

feeds = typer.Typer(no_args_is_help=True, help="News feeds: RSS and Atom.")


@feeds.command("poll")
def poll_feeds(
    everything: Annotated[
        bool, typer.Option("--all", help="Every enabled source, also what is not due.")
    ] = False,
) -> None:
    """Read the feeds that are due and publish what is new or changed in them."""
    from orchestration.ingestion.feed_sources import read_sources
    from orchestration.ingestion.feeds import Poller, require_one_success
    from orchestration.resources.postgres import connect
    from orchestration.resources.pubsub import GooglePubsub

    settings = IngestSettings.load()
    sources = read_sources(settings.feeds_yaml)
    with (
        GooglePubsub(PubsubSettings.load()) as broker,
        connect(PostgresSettings.load(), "supplier-risk feeds") as connection,
    ):
        broker.require_topic()
        poller = Poller(connection, broker, settings, datetime.now(UTC))
        results = poller.poll(sources, only_due=not everything)
    report_refused([refusal for result in results for refusal in result.refused])
    if results:
        rows = [{"source": result.source, **result.summary()} for result in results]
        out.print(_results_table(rows))
    else:
        out.print("No source is enabled and due; `supplier-risk feeds list` says when one is.")
    require_one_success(results)


@feeds.command("list")
def list_feeds() -> None:
    """The sources of INGEST_FEEDS_YAML, when each is due, and what went wrong."""
    from orchestration.ingestion.feed_sources import read_sources
    from orchestration.ingestion.feed_state import load_states
    from orchestration.resources.postgres import connect

    sources = read_sources(IngestSettings.load().feeds_yaml)
    with connect(PostgresSettings.load(), "supplier-risk feeds") as connection:
        states = load_states(connection)
    known = {name: vars(state) for name, state in states.items()}
    rows = [{**known.get(source.name, {}), **source.model_dump()} for source in sources]
    out.print(_sources_table(rows))


def _results_table(results: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Feeds polled", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("source", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    counts = ("new", "changed", "unchanged", "refused")
    for heading in counts:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("what is wrong", overflow="fold", style="red")
    for result in results:
        wrong = result.get("error") or result.get("malformed") or ""
        table.add_row(
            Text(plain(result["source"])),
            result["outcome"],
            *[f"{result[name]:,}" for name in counts],
            Text(plain(wrong)),
        )
    return table


def _sources_table(feeds: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="News feeds", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("source", "address", "every", "last poll", "next poll"):
        table.add_column(heading, overflow="fold")
    table.add_column("last error", overflow="fold", style="red")
    for feed in feeds:
        error = feed.get("last_error")
        cells = (
            feed["name"],
            feed["url"],
            f"{feed['interval_minutes']:,} min",
            _in_utc(feed["polled_at"]) if "polled_at" in feed else "never",
            _next_poll(feed) if feed["enabled"] else "disabled",
            f"{error} ({feed['failures']:,} in a row)" if error else "",
        )
        table.add_row(*[Text(plain(cell)) for cell in cells])
    table.caption = "Times are in UTC."
    return table


def _next_poll(feed: Mapping[str, Any]) -> str:
    return _in_utc(feed["next_poll_at"]) if "next_poll_at" in feed else "now"


def _in_utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
