"""Messages on their way to real receivers: once, again after a failure, given up in the end."""

import base64
import hashlib
import hmac
import json
import logging
import threading

import pytest
from pydantic import SecretStr

from orchestration.publishing.alerts import latest
from orchestration.publishing.notifications import Delivered, retry, unsent
from orchestration.resources.postgres import Connection, connect
from orchestration.settings import AlertSettings, PostgresSettings
from tests.publishing.receivers import Mailbox, Receiver, free_port
from tests.publishing.sending import let_waits_end, noticed, send_due, settings, webhook_only
from tests.publishing.test_notification_texts import band


def waits(connection: Connection) -> list[int]:
    return [
        row["seconds"]
        for row in connection.execute(
            "select round(extract(epoch from available_at - now()))::integer as seconds"
            " from risk.notifications where state = 'waiting'"
        )
    ]


def test_each_channel_gets_a_message_once(
    connection: Connection, receiver: Receiver, mailbox: Mailbox
) -> None:
    to = settings(receiver, mailbox)
    noticed(connection, to)
    assert sorted(send_due(connection, to).sent) == ["email", "slack", "webhook"]
    assert send_due(connection, to) == Delivered()
    bodies = {request.path.rpartition("/")[2]: request.json for request in receiver.requests}
    assert len(receiver.requests) == 2
    assert "critical now" in bodies["slack"]["text"]
    assert bodies["json"]["alerts"][0]["dedupe_key"] == "band:1"
    (mail,) = mailbox.mails
    assert mail["Subject"] == "Supplier risk: Acme 1 (Mexico) is critical now, was medium"
    assert mail["X-Envelope-To"] == "a@example.com, b@example.com"
    assert "document: https://news.example/1" in mail.get_content()
    (row,) = latest(connection, 10)
    assert {one["channel"]: one["state"] for one in row["deliveries"]} == dict.fromkeys(
        ("slack", "email", "webhook"), "sent"
    )


def test_an_alert_with_a_known_key_is_neither_kept_nor_sent_again(
    connection: Connection, receiver: Receiver
) -> None:
    to = webhook_only(receiver.url)
    noticed(connection, to, band(1))
    noticed(connection, to, band(1), band(2))
    send_due(connection, to)
    keys = [[alert["dedupe_key"] for alert in one.json["alerts"]] for one in receiver.requests]
    assert keys == [["band:1"], ["band:2"]]


def test_a_receiver_can_check_the_signature_and_know_a_repetition(
    connection: Connection, receiver: Receiver
) -> None:
    secret = base64.b64encode(b"k" * 24).decode()
    to = webhook_only(receiver.url, webhook_secret=SecretStr(f"whsec_{secret}"))
    noticed(connection, to)
    receiver.answers = [500]
    send_due(connection, to)
    let_waits_end(connection)
    send_due(connection, to)
    first, second = receiver.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body
    assert first.headers["webhook-id"] == first.json["message_id"]
    said = f"{first.headers['webhook-id']}.{first.headers['webhook-timestamp']}.".encode()
    mac = hmac.new(b"k" * 24, said + first.body, hashlib.sha256).digest()
    assert first.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [(500, "http_500"), (302, "http_302"), (404, "http_404"), (1.5, "timeout")],
)
def test_what_failed_is_tried_again_with_growing_waits_and_its_class_is_kept(
    connection: Connection, receiver: Receiver, answer: float, error_class: str
) -> None:
    to = webhook_only(receiver.url)
    noticed(connection, to)
    receiver.answers = [answer, answer, answer]
    for wait in (30, 120, 480):
        let_waits_end(connection)
        done = send_due(connection, to)
        assert done.failed == [f"webhook: {error_class}, again in {wait} s"]
        assert waits(connection)[0] == pytest.approx(wait, abs=3)
        assert send_due(connection, to) == Delivered(), "it waits"
    let_waits_end(connection)
    assert send_due(connection, to).sent == ["webhook"]
    (row,) = latest(connection, 1)
    (delivery,) = row["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("sent", 4)
    assert delivery["last_error_class"] == error_class


def test_a_receiver_that_asks_for_more_time_gets_it(
    connection: Connection, receiver: Receiver
) -> None:
    to = webhook_only(receiver.url)
    noticed(connection, to)
    receiver.answers, receiver.headers = [429], {"Retry-After": "300"}
    assert send_due(connection, to).failed == ["webhook: http_429, again in 300 s"]


def test_after_the_last_attempt_it_is_given_up_visibly_and_a_person_may_retry(
    connection: Connection, receiver: Receiver
) -> None:
    to = webhook_only(receiver.url, max_attempts=2)
    noticed(connection, to)
    receiver.answers = [500, 500]
    assert send_due(connection, to).dead == []
    let_waits_end(connection)
    assert send_due(connection, to).dead == ["webhook: given up after 2 attempts (http_500)"]
    let_waits_end(connection)
    assert send_due(connection, to) == Delivered()
    assert unsent(connection, to.channels) == {"dead": 1, "orphaned": 0}
    assert retry(connection) == 1
    assert send_due(connection, to).sent == ["webhook"]


def test_one_channel_that_fails_does_not_hold_up_the_others(
    connection: Connection, receiver: Receiver, mailbox: Mailbox
) -> None:
    to = settings(receiver, mailbox).model_copy(update={"smtp_port": free_port()})
    noticed(connection, to)
    done = send_due(connection, to)
    assert sorted(done.sent) == ["slack", "webhook"]
    assert done.failed == ["email: connection, again in 30 s"]


def test_two_ticks_at_once_send_each_message_once(
    connection: Connection, receiver: Receiver, database: PostgresSettings
) -> None:
    to = webhook_only(receiver.url)
    for number in range(30):
        noticed(connection, to, band(number))

    def tick() -> None:
        with connect(database, "a tick") as own:
            send_due(own, to)

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [request.json["message_id"] for request in receiver.requests]
    assert len(ids) == len(set(ids)) == 30


def test_a_process_that_lost_its_lease_marks_nothing(
    connection: Connection, receiver: Receiver
) -> None:
    to = webhook_only(receiver.url, timeout_seconds=5.0)
    noticed(connection, to)
    receiver.answers = [1.0]
    slow = threading.Thread(target=send_due, args=[connection, to])
    with connect(PostgresSettings.load(), "another") as other:
        slow.start()
        while not receiver.requests:
            pass
        let_waits_end(other)
        assert send_due(other, to).sent == ["webhook"]
        other.execute("update risk.notifications set last_error_class = 'seen'")
    slow.join()
    (row,) = latest(connection, 1)
    assert row["deliveries"][0]["attempts"] == 2
    assert len(receiver.requests) == 2, "at least once: the lease had ended"


def test_many_alerts_are_one_message_to_people_and_some_to_machines(
    connection: Connection, receiver: Receiver
) -> None:
    to = settings(receiver)
    noticed(connection, to, *[band(number) for number in range(450)])
    send_due(connection, to)
    slack = [one for one in receiver.requests if one.path.endswith("slack")]
    machine = [one for one in receiver.requests if one.path.endswith("json")]
    assert len(slack) == 1
    assert "and 430 more" in json.dumps(slack[0].json)
    assert sorted(len(one.json["alerts"]) for one in machine) == [50, 200, 200]


def test_a_message_for_a_channel_that_is_not_set_any_more_waits(
    connection: Connection, receiver: Receiver
) -> None:
    noticed(connection, webhook_only(receiver.url))
    assert send_due(connection, AlertSettings()) == Delivered()
    assert unsent(connection, ())["orphaned"] == 1


def test_no_secret_reaches_the_database_or_a_log(
    connection: Connection, receiver: Receiver, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    to = settings(
        receiver, mailbox, smtp_username="risk", smtp_password=SecretStr("hunter2-s3cret")
    )
    noticed(connection, to)
    receiver.answers = [500, 500]
    done = send_due(connection, to)
    assert len(done.failed) == 3, "the mailbox knows no login"
    refused = to.model_copy(update={"webhook_url": SecretStr("http://127.0.0.1:1/s3cret")})
    let_waits_end(connection)
    done = send_due(connection, refused)
    rows = connection.execute("select notifications::text from risk.notifications").fetchall()
    for text in (str(rows), str(done), str(latest(connection, 9)), repr(to)):
        assert "s3cret" not in text
        assert "127.0.0.1" not in text or text == repr(to)
    assert "s3cret" not in caplog.text
