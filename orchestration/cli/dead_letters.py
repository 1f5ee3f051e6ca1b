"""`dead-letters`: what was given up on, to be shown, tried again or let go."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from orchestration.errors import UsageError
from orchestration.settings import PostgresSettings, PubsubSettings
from orchestration.terminal import out, plain

if TYPE_CHECKING:
    from orchestration.ingestion.dead_letters import Filter

_SHOWN_ERROR = 160
_SHOWN_BYTES = 2_000

dead_letters = typer.Typer(
    no_args_is_help=True, help="What was refused or failed for good: list, show, redrive, drop."
)

Ids = Annotated[list[str] | None, typer.Argument(help="Such as item-12 or message-3.")]
Reason = Annotated[str | None, typer.Option(help="Class of the last error, such as not_json.")]
Supplier = Annotated[str | None, typer.Option(help="Id in the supplier master.")]
Batch = Annotated[str | None, typer.Option(help="Batch of the message.")]
Since = Annotated[datetime | None, typer.Option(help="Given up at this time (UTC) or later.")]
Before = Annotated[datetime | None, typer.Option(help="Given up before this time (UTC).")]
Everything = Annotated[bool, typer.Option("--all", help="All that are open.")]


@dead_letters.command("list")
def list_dead_letters(
    reason: Reason = None,
    supplier: Supplier = None,
    batch: Batch = None,
    since: Since = None,
    before: Before = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
) -> None:
    """The open dead letters, the newest first."""
    from orchestration.ingestion.dead_letters import count, find
    from orchestration.resources.postgres import connect

    wanted = _filter((), reason, supplier, batch, since, before)
    with connect(PostgresSettings.load(), "supplier-risk dead-letters") as connection:
        rows = find(connection, wanted, limit)
        total = count(connection, wanted)
    out.print(_table(rows))
    out.print(f"{total:,} open" + (f", {len(rows):,} of them shown" if total > len(rows) else ""))


@dead_letters.command("show")
def show_dead_letter(
    dead_letter_id: Annotated[str, typer.Argument(help="Such as item-12 or message-3.")],
) -> None:
    """One dead letter: why it was given up, and what a refused message holds."""
    from orchestration.ingestion.dead_letters import find, payload
    from orchestration.resources.postgres import connect

    with connect(PostgresSettings.load(), "supplier-risk dead-letters") as connection:
        (row,) = find(connection, _filter((dead_letter_id,)), state=None)
        message = payload(connection, dead_letter_id) if row["step"] == "landing" else None
    for part in _parts(row, message):
        out.print(part)


@dead_letters.command("redrive")
def redrive_dead_letters(
    ids: Ids = None,
    reason: Reason = None,
    supplier: Supplier = None,
    batch: Batch = None,
    since: Since = None,
    before: Before = None,
    everything: Everything = False,
) -> None:
    """Try dead letters again: messages are published anew, work is queued anew."""
    from orchestration.ingestion.dead_letters import find, redrive
    from orchestration.resources.postgres import connect
    from orchestration.resources.pubsub import GooglePubsub

    wanted = _filter(ids or (), reason, supplier, batch, since, before)
    _require_a_choice(wanted, everything)
    with (
        connect(PostgresSettings.load(), "supplier-risk dead-letters") as connection,
        GooglePubsub(PubsubSettings.load()) as broker,
    ):
        found = [row["dead_letter_id"] for row in find(connection, wanted)]
        if any(one.startswith("message-") for one in found):
            broker.require_topic()
        out.print(f"{redrive(connection, broker, found):,} tried again")


@dead_letters.command("drop")
def drop_dead_letters(
    ids: Ids = None,
    reason: Reason = None,
    supplier: Supplier = None,
    batch: Batch = None,
    since: Since = None,
    before: Before = None,
    everything: Everything = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let dead letters go: they are kept, but neither listed nor tried again."""
    from orchestration.ingestion.dead_letters import drop, find
    from orchestration.resources.postgres import connect

    wanted = _filter(ids or (), reason, supplier, batch, since, before)
    _require_a_choice(wanted, everything)
    with connect(PostgresSettings.load(), "supplier-risk dead-letters") as connection:
        found = [row["dead_letter_id"] for row in find(connection, wanted)]
        if not is_sure and found:
            typer.confirm(f"Drop {len(found):,} dead letters?", abort=True, err=True)
        out.print(f"{drop(connection, found):,} dropped")


def _filter(
    ids: Sequence[str],
    reason: str | None = None,
    supplier: str | None = None,
    batch: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
) -> "Filter":
    from orchestration.ingestion.dead_letters import Filter

    return Filter(tuple(ids), reason, supplier, batch, _in_utc(since), _in_utc(before))


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _require_a_choice(wanted: "Filter", everything: bool) -> None:
    if wanted.is_empty and not everything:
        raise UsageError("Say which: ids, --reason, --supplier, --batch, --since, --before, --all.")
    if everything and not wanted.is_empty:
        raise UsageError("--all means every open dead letter: leave out the other choices.")


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Dead letters", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("id", "step", "reason"):
        table.add_column(heading, no_wrap=True)
    table.add_column("attempts", justify="right", no_wrap=True)
    for heading in ("since (UTC)", "what", "last error"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        error = plain(row["last_error"] or "")
        table.add_row(
            row["dead_letter_id"],
            row["step"],
            Text(plain(row["reason"])),
            f"{row['attempts']:,}",
            f"{row['dead_since'].astimezone(UTC):%Y-%m-%d %H:%M}",
            Text(plain(_what(row))),
            Text(error[:_SHOWN_ERROR] + ("…" if len(error) > _SHOWN_ERROR else "")),
        )
    return table


def _what(row: Mapping[str, Any]) -> str:
    pair = f"{row['supplier_id']}@{row['country']}" if row["supplier_id"] else ""
    batch = f"batch {row['batch_id']}" if row["batch_id"] else ""
    return "; ".join(part for part in (pair, row["title"] or "", batch) if part)


def _parts(
    row: Mapping[str, Any], message: tuple[bytes, Mapping[str, str]] | None
) -> Iterator[RenderableType]:
    table = Table(
        title=row["dead_letter_id"], title_justify="left", box=box.SIMPLE, show_header=False
    )
    for name, value in row.items():
        if value is not None and name != "dead_letter_id":
            table.add_row(name, Text(plain(str(value))))
    yield table
    if message is not None:
        data, attributes = message
        lines = "".join(f"{name} = {value}\n" for name, value in attributes.items())
        text = data[:_SHOWN_BYTES].decode("utf-8", errors="backslashreplace")
        yield Panel(Text(plain(lines) or "none"), title="attributes", title_align="left")
        title = f"data ({len(data):,} bytes" + (
            f", the first {_SHOWN_BYTES:,})" if len(data) > _SHOWN_BYTES else ")"
        )
        yield Panel(Text(plain(text)), title=title, title_align="left")
