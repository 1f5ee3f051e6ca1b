"""What goes wrong on the way is told apart by its class, and stops no other channel."""

import socket
from typing import Any

import pytest
from pydantic import SecretStr

from orchestration.publishing.notifications import Delivered
from orchestration.resources.postgres import Connection
from tests.publishing.receivers import Mailbox, Receiver, free_port
from tests.publishing.sending import let_waits_end, noticed, send_due, settings, webhook_only
from tests.publishing.test_notification_texts import band


@pytest.mark.parametrize(
    ("scheme", "error_class"), [("http", "connection"), ("https", "connection")]
)
def test_a_refused_connection_is_told_apart(
    connection: Connection, scheme: str, error_class: str
) -> None:
    to = webhook_only(f"{scheme}://127.0.0.1:{free_port()}/")
    noticed(connection, to)
    assert send_due(connection, to).failed == [f"webhook: {error_class}, again in 30 s"]


def test_a_receiver_without_tls_is_told_apart(connection: Connection, receiver: Receiver) -> None:
    to = webhook_only(receiver.url.replace("http:", "https:"))
    noticed(connection, to)
    assert send_due(connection, to).failed == ["webhook: tls, again in 30 s"]


def test_mail_failures_are_told_apart(connection: Connection, mailbox: Mailbox) -> None:
    to = settings(mailbox=mailbox)
    noticed(connection, to)
    mailbox.answers = ["451 later"]
    assert send_due(connection, to).failed == ["email: smtp_451, again in 30 s"]
    let_waits_end(connection)
    secure = to.model_copy(update={"smtp_security": "starttls"})
    assert send_due(connection, secure).failed == ["email: smtp, again in 120 s"]
    let_waits_end(connection)
    away = to.model_copy(update={"smtp_port": free_port()})
    assert send_due(connection, away).failed == ["email: connection, again in 480 s"]
    let_waits_end(connection)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = {"smtp_port": silent.getsockname()[1], "timeout_seconds": 0.3}
        done = send_due(connection, to.model_copy(update=slow))
    assert done.failed == ["email: timeout, again in 1920 s"]
    let_waits_end(connection)
    assert send_due(connection, to).sent == ["email"]
    assert len(mailbox.mails) == 1


def test_recipients_that_are_refused_are_named_and_the_others_get_it_once(
    connection: Connection, mailbox: Mailbox
) -> None:
    to = settings(mailbox=mailbox)
    noticed(connection, to)
    mailbox.unknown = ["a@example.com"]
    assert send_due(connection, to) == Delivered(["email"], ["email: some_recipients_refused"])
    assert [mail["X-Envelope-To"] for mail in mailbox.mails] == ["b@example.com"]
    noticed(connection, to, band(2))
    mailbox.unknown.append("b@example.com")
    assert send_due(connection, to).failed == ["email: recipients_refused, again in 30 s"]


@pytest.mark.parametrize(
    ("wrong", "trouble"),
    [
        ({"webhook_url": SecretStr("https://a..example/x")}, "webhook: address"),
        ({"webhook_url": SecretStr(f"https://{'a' * 64}.example/x")}, "webhook: address"),
        ({"webhook_secret": SecretStr("whsec_é" + "a" * 16)}, "webhook: secret"),
        ({"smtp_host": "mail..example"}, "email: address"),
    ],
)
def test_an_address_or_secret_that_cannot_be_is_named_and_holds_up_no_other_channel(
    connection: Connection,
    receiver: Receiver,
    mailbox: Mailbox,
    wrong: dict[str, Any],
    trouble: str,
) -> None:
    to = settings(receiver, mailbox).model_copy(update=wrong)
    noticed(connection, to)
    done = send_due(connection, to)
    assert done.failed == [f"{trouble}, again in 30 s"]
    assert len(done.sent) == 2
