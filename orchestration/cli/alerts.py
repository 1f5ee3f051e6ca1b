"""`alerts`: what people were told and whether it arrived; a test of the channels."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from orchestration.errors import AlertError, UsageError
from orchestration.settings import AlertSettings, PostgresSettings
from orchestration.terminal import err, out, plain

alerts = typer.Typer(
    no_args_is_help=True, help="What people were told of: list, test the channels, retry."
)


@alerts.command("list")
def list_alerts(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """The newest alerts, and whether each channel got them."""
    from orchestration.publishing.alerts import latest
    from orchestration.resources.postgres import connect

    with connect(PostgresSettings.load(), "supplier-risk alerts") as connection:
        rows = latest(connection, limit)
    if as_json:
        print(json.dumps(rows, default=str))
    elif rows:
        out.print(_table(rows))
    else:
        out.print("Nobody was told of anything yet.")


@alerts.command("test")
def send_test() -> None:
    """Send a test message, marked as one, to every channel that is set."""
    from orchestration.publishing.alerts import Message
    from orchestration.publishing.notification_channels import NotDelivered, send

    settings = AlertSettings.load()
    if not settings.channels:
        raise UsageError(
            "No channel is set: ALERTS_SLACK_WEBHOOK_URL, ALERTS_EMAIL_TO or ALERTS_WEBHOOK_URL "
            "(docs/alerts.md)."
        )
    failed = []
    for channel in settings.channels:
        try:
            message = Message(uuid4(), "test", [], datetime.now(UTC))
            trouble = send(message, channel, settings)
            out.print(f"{channel}: taken" + (f" ({trouble})" if trouble else ""), markup=False)
        except NotDelivered as error:
            failed.append(channel)
            err.print(f"{channel}: not taken ({error.error_class})", style="red", markup=False)
    if failed:
        raise AlertError(
            f"The test did not arrive at {', '.join(failed)}; docs/alerts.md says what the word "
            "in brackets means."
        )


@alerts.command("retry")
def retry_alerts() -> None:
    """Let messages that were given up be tried again: the sensor sends them."""
    from orchestration.publishing.notifications import retry
    from orchestration.resources.postgres import connect

    with connect(PostgresSettings.load(), "supplier-risk alerts") as connection:
        out.print(f"{retry(connection):,} messages will be tried again", markup=False)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Alerts", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("id", "time (UTC)", "kind"):
        table.add_column(heading, no_wrap=True)
    for heading in ("what", "delivered"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            str(row["alert_id"]),
            f"{row['created_at'].astimezone(UTC):%Y-%m-%d %H:%M}",
            row["kind"],
            Text(plain(_what(row))),
            Text(plain(", ".join(map(_delivery, row["deliveries"])) or "no channel was set")),
        )
    return table


def _what(row: Mapping[str, Any]) -> str:
    says = row["says"]
    if row["kind"] == "digest":
        return f"digest of {says['date']}"
    pair = f"{says['supplier_name']} @ {row['country']}"
    if row["kind"] == "band":
        return f"{pair}: {says['band_before']} -> {says['band']} ({says['score']}), {says['cause']}"
    return f"{pair}: {says['event_type']}, level {says['level']}, {says['cause']}"


def _delivery(delivery: Mapping[str, Any]) -> str:
    error = delivery["last_error_class"]
    if not error:
        return f"{delivery['channel']} {delivery['state']}"
    return f"{delivery['channel']} {delivery['state']} ({error}, {delivery['attempts']} attempts)"
