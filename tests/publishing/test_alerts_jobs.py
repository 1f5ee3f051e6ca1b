"""Alerts in Dagster: what a tick says, a digest once a day, real builds from news to message."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.errors import AlertError, SettingsError
from orchestration.job_names import SEND_DAILY_DIGEST
from orchestration.publishing.alerts import latest
from orchestration.publishing.alerts_jobs import daily_digest_schedule
from orchestration.resources.dagster import Postgres
from orchestration.resources.postgres import Connection
from tests.publishing.marts import Marts
from tests.publishing.one_tick import tick
from tests.publishing.receivers import Mailbox, Receiver, free_port
from tests.transformation.building import build
from tests.transformation.world import Finding, World

FIRST, SECOND, THIRD, FOURTH = "2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31"


@pytest.fixture
def hook(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("ALERTS_WEBHOOK_URL", receiver.url)
    monkeypatch.setenv("ALERTS_TIMEOUT_SECONDS", "2")
    return receiver


def digest(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = defs.resolve_job_def(SEND_DAILY_DIGEST)
    return job.execute_in_process(instance=instance, raise_on_error=False)


def schedule(at: str) -> dg.RunRequest | dg.SkipReason:
    time = datetime.fromisoformat(at).replace(tzinfo=UTC)
    context = dg.build_schedule_context(
        scheduled_execution_time=time, resources={"postgres": Postgres()}
    )
    said = daily_digest_schedule(context)
    assert isinstance(said, dg.RunRequest | dg.SkipReason)
    return said


def alerts_of(request: Any) -> list[dict[str, Any]]:
    alerts: list[dict[str, Any]] = request.json["alerts"]
    return alerts


def test_from_news_to_a_message_over_real_builds_and_what_a_prompt_moves_is_no_news(
    world: World, connection: Connection, hook: Receiver
) -> None:
    live = world.generation(FIRST)
    world.supplier("acme")
    world.supplier("beta")
    mild = world.news(FIRST, live, Finding(level=2), supplier="beta", country="MX")
    build(FIRST)
    assert "the first look" in tick()
    assert tick() == "the marts are those of the last look"

    world.news(SECOND, live, Finding(level=5, quote="A <fire> burns."))
    world.news(SECOND, live, Finding(level=5), publisher="other press")
    build(SECOND)
    assert tick() == "2 alerts recorded; 1 messages sent (webhook)"
    (request,) = hook.requests
    rise, event = alerts_of(request)
    assert (rise["kind"], rise["says"]["cause"]) == ("band", "new events")
    assert (event["kind"], event["says"]["cause"]) == ("event", "new events")
    assert event["says"]["evidence"]["quote"] in {"A <fire> burns.", "It burns."}
    assert rise["says"]["country_name"] == "Germany"

    other = world.generation(THIRD, "shadow")
    world.assess(mild, other, THIRD, Finding(level=5, event_type="flood"))
    build(THIRD)
    assert "alerts recorded" not in tick(), "the shadow moves nothing"
    world.promote(other, FOURTH)
    build(FOURTH)
    assert tick() == "2 alerts recorded; 1 messages sent (webhook)"
    rise, event = alerts_of(hook.requests[-1])
    assert {rise["supplier_id"], event["supplier_id"]} == {"beta"}
    assert (rise["says"]["cause"], event["says"]["cause"]) == ("rescoring", "rescoring")


def test_without_a_channel_alerts_are_recorded_and_the_tick_says_that_nobody_is_told(
    connection: Connection, marts: Marts
) -> None:
    marts.refreshed()
    assert "ALERTS_SLACK_WEBHOOK_URL, ALERTS_EMAIL_TO or ALERTS_WEBHOOK_URL" in tick()
    marts.pair("acme", 80)
    marts.refreshed()
    assert tick().startswith("1 alerts recorded; no channel is set")
    assert [row["deliveries"] for row in latest(connection, 9)] == [[]]


def test_a_message_that_is_given_up_fails_the_tick_once_and_is_named_ever_after(
    connection: Connection, marts: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/s3cret")
    monkeypatch.setenv("ALERTS_MAX_ATTEMPTS", "2")
    marts.refreshed()
    tick()
    marts.pair("acme", 80)
    marts.refreshed()
    assert "webhook: connection, again in 30 s" in tick()
    connection.execute("update risk.notifications set available_at = now()")
    with pytest.raises(AlertError, match=r"webhook: given up after 2 attempts \(connection\)"):
        tick()
    assert "1 messages were given up (supplier-risk alerts list)" in tick()


def test_a_look_that_fails_does_not_hold_back_what_was_noticed_before(
    connection: Connection, marts: Marts, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    monkeypatch.setenv("ALERTS_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/")
    marts.refreshed()
    tick()
    marts.pair("acme", 80)
    marts.refreshed()
    tick()
    connection.execute("update risk.notifications set available_at = now()")
    monkeypatch.setenv("ALERTS_WEBHOOK_URL", receiver.url)
    monkeypatch.setenv("ALERTS_LOWEST_BAND", "severe")
    marts.refreshed()
    with pytest.raises(SettingsError, match="no band 'severe'"):
        tick()
    assert len(receiver.requests) == 1


def test_settings_that_are_wrong_fail_the_tick_by_name(
    database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_WEBHOOK_URL", "s3cret.example/hook")
    with pytest.raises(SettingsError, match="ALERTS_WEBHOOK_URL is wrong") as caught:
        tick()
    assert "s3cret" not in str(caught.value)


def test_a_digest_is_sent_once_a_day_however_often_it_is_started(
    connection: Connection, marts: Marts, hook: Receiver
) -> None:
    marts.pair("acme", 80, models="offline-analyst-1", new_events=50, decay=-2)
    marts.pair("beta", 10, country="DE", rescoring=-30)
    marts.pair("beta", None, country="MX")
    marts.refreshed()
    with dg.DagsterInstance.ephemeral() as instance:
        assert digest(instance).success
        assert digest(instance).success
    (request,) = hook.requests
    (alert,) = alerts_of(request)
    about = alert["says"]
    assert about["suppliers_by_band"] == [
        {"band": "critical", "suppliers": 1},
        {"band": "low", "suppliers": 1},
    ]
    assert about["newly_critical"] == [
        {"supplier_name": "Acme", "country": "MX", "score": 80.0, "found": 1}
    ]
    assert (about["movers"][0]["change"], about["movers"][0]["cause"]) == (48.0, "new events")
    assert (about["pending"], about["dead"], about["undelivered"]) == (0, 0, 0)
    assert about["models"] == "gpt-x, offline-analyst-1"


def test_a_digest_for_people_says_what_the_numbers_mean(
    marts: Marts, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mailbox.port),
        "SMTP_SECURITY": "none",
        "EMAIL_FROM": "risk@example.com",
        "EMAIL_TO": "a@example.com",
    }.items():
        monkeypatch.setenv(f"ALERTS_{name}", value)
    marts.refreshed()
    tick()
    marts.pair("acme", 80, models="offline-analyst-1", rescoring=50)
    marts.event("acme", "2026-03-30")
    marts.refreshed()
    tick()
    with dg.DagsterInstance.ephemeral() as instance:
        assert digest(instance).success
    _, mail = mailbox.mails
    text = mail.get_content().replace("\r\n", "\n")
    assert "Suppliers by their worst country: 1 critical. Scores are those of 2026-03-31." in text
    assert "Critical since yesterday:\n- Acme (MX): 80.0" in text
    assert "- Acme (MX): 80.0 (+50.0), mostly by rescoring" in text
    assert "- Acme (MX), fire: “It burns.”\n" in text
    assert "Acme, fire: https://news.example/fire" in text
    assert "Not scored: 0 documents wait, 0 failed for good." in text
    assert "100 is the highest risk" in text
    assert "offline analyst: a word list" in text


def test_a_digest_says_how_many_more_there_are(
    marts: Marts, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_SLACK_WEBHOOK_URL", receiver.url)
    marts.refreshed()
    tick()
    for number in range(23):
        marts.pair(f"s{number}", 80)
        marts.event(f"s{number}", "2026-03-30")
    marts.refreshed()
    tick()
    with dg.DagsterInstance.ephemeral() as instance:
        assert digest(instance).success
    blocks = receiver.requests[-1].json["blocks"]
    sections = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    for heading, more in (("Critical since yesterday", 3), ("Severe events", 13)):
        [text] = [text for text in sections if text.startswith(heading)]
        assert text.endswith(f"\n- and {more} more")


def test_the_digest_is_due_from_its_hour_on_in_its_time_zone_and_later_where_it_was_missed(
    connection: Connection, marts: Marts, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_TIMEZONE", "Asia/Kathmandu")  # 5 h 45 min before UTC
    early = schedule("2026-03-31T01:00")
    assert isinstance(early, dg.SkipReason)
    assert early.skip_message == "not before 07:00 Asia/Kathmandu"
    for at in ("2026-03-31T01:15", "2026-03-31T17:00"):
        due = schedule(at)
        assert isinstance(due, dg.RunRequest)
        assert due.run_key == "digest:2026-03-31"
    with dg.DagsterInstance.ephemeral() as instance:
        assert digest(instance).success
    monkeypatch.setenv("ALERTS_DIGEST_HOUR", "0")
    made = schedule(datetime.now(UTC).replace(tzinfo=None).isoformat())
    assert isinstance(made, dg.SkipReason)
    assert "was made before" in (made.skip_message or "")


def test_a_digest_without_a_channel_or_marts_says_so(
    connection: Connection, marts: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(schedule("2026-03-31T12:00"), dg.SkipReason)
    with dg.DagsterInstance.ephemeral() as instance:
        assert "No digest: no channel is set" in str(failure_of(digest(instance)))
        monkeypatch.setenv("ALERTS_WEBHOOK_URL", "http://127.0.0.1:1/")
        marts.execute("drop table marts.risk_changes cascade")
        assert "No digest: the marts are not built" in str(failure_of(digest(instance)))


def failure_of(result: dg.ExecuteInProcessResult) -> object:
    (failure,) = [one for one in result.all_events if one.event_type_value == "STEP_FAILURE"]
    return failure.step_failure_data.error
