"""Messages noticed and sent to the receivers of the tests."""

from typing import Any

from pydantic import SecretStr

from orchestration.publishing.alerts import Alert, record
from orchestration.publishing.notifications import Delivered, deliver
from orchestration.resources.postgres import Connection
from orchestration.settings import AlertSettings
from tests.publishing.receivers import Mailbox, Receiver
from tests.publishing.test_notification_texts import band


def settings(
    receiver: Receiver | None = None, mailbox: Mailbox | None = None, **more: Any
) -> AlertSettings:
    """All channels of the receivers that are given."""
    if receiver:
        more |= {
            "slack_webhook_url": SecretStr(f"{receiver.url}/slack"),
            "webhook_url": SecretStr(f"{receiver.url}/json"),
            "webhook_secret": SecretStr("a secret of the tests"),
        }
    if mailbox:
        more |= {
            "smtp_host": "127.0.0.1",
            "smtp_port": mailbox.port,
            "smtp_security": "none",
            "email_from": "risk@example.com",
            "email_to": "a@example.com, b@example.com",
        }
    return AlertSettings(**{"timeout_seconds": 2.0, **more})


def webhook_only(url: str, **more: Any) -> AlertSettings:
    return AlertSettings(**{"timeout_seconds": 0.5, "webhook_url": SecretStr(url), **more})


def noticed(connection: Connection, to: AlertSettings, *alerts: Alert) -> None:
    with connection.transaction():
        record(connection, alerts or [band()], to.channels)


def send_due(connection: Connection, to: AlertSettings) -> Delivered:
    return deliver(connection, to, seconds=20)


def let_waits_end(connection: Connection) -> None:
    connection.execute("update risk.notifications set available_at = now() where state <> 'sent'")
