"""`alerts`, as a person meets it."""

import json

import pytest

from orchestration.publishing.alerts import record
from orchestration.resources.postgres import Connection
from tests.publishing.receivers import free_port, mailbox_open, receiver_open
from tests.publishing.test_notification_texts import band
from tests.test_cli import supplier_risk


def test_alerts_are_listed_with_what_became_of_them(connection: Connection) -> None:
    assert "Nobody was told of anything yet." in supplier_risk("alerts", "list").stdout
    with connection.transaction():
        record(connection, [band(1, supplier_name="Acme \x1b[31m")], ["slack"])
        record(connection, [band(2)], [])
    connection.execute(
        "update risk.notifications set state = 'dead', attempts = 8, last_error_class = 'http_404'"
    )
    listed = " ".join(supplier_risk("alerts", "list").stdout.split())
    assert "Acme [31m @ MX: medium -> critical (80.0), new events" in listed
    assert "slack dead (http_404, 8 attempts)" in listed
    assert "no channel was set" in listed
    rows = json.loads(supplier_risk("alerts", "list", "--json", "--limit", "1").stdout)
    assert [row["dedupe_key"] for row in rows] == ["band:2"]
    assert "1 messages will be tried again" in supplier_risk("alerts", "retry").stdout


def test_a_test_message_goes_to_each_channel_and_what_fails_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    none = supplier_risk("alerts", "test")
    assert none.returncode == 2
    assert "ALERTS_SLACK_WEBHOOK_URL" in none.stderr
    with receiver_open() as receiver, mailbox_open() as mailbox:
        monkeypatch.setenv("ALERTS_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("ALERTS_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("ALERTS_SMTP_PORT", str(mailbox.port))
        monkeypatch.setenv("ALERTS_SMTP_SECURITY", "none")
        monkeypatch.setenv("ALERTS_EMAIL_FROM", "risk@example.com")
        monkeypatch.setenv("ALERTS_EMAIL_TO", "a@example.com")
        good = supplier_risk("alerts", "test")
        assert good.returncode == 0, good.stderr
        assert "email: taken\nwebhook: taken" in good.stdout
        assert receiver.requests[0].json["kind"] == "test"
        assert mailbox.mails[0]["Subject"] == "Supplier risk: this is a test"
        monkeypatch.setenv("ALERTS_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/s3cret")
        bad = supplier_risk("alerts", "test")
    assert bad.returncode == 1
    assert "email: taken" in bad.stdout
    assert "webhook: not taken (connection)" in bad.stderr
    assert "did not arrive at webhook" in bad.stderr
    assert "s3cret" not in bad.stdout + bad.stderr
