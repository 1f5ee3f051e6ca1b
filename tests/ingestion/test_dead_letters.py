"""Dead letters: listed in one place, tried again, let go; out to the dead-letter topic and in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orchestration.errors import BrokerError, UsageError
from orchestration.ingestion.dead_letter_jobs import dead_letter_sensor, handle_dead_letters
from orchestration.ingestion.dead_letter_topic import drain, publish_dead
from orchestration.ingestion.dead_letters import Filter, drop, find, payload, redrive
from orchestration.ingestion.landing import land, land_from
from orchestration.ingestion.message import parse_document
from orchestration.ingestion.suppliers import load
from orchestration.resources.broker import Message
from orchestration.resources.dagster import Postgres, Pubsub
from orchestration.resources.postgres import Connection, one
from orchestration.resources.pubsub import GooglePubsub
from orchestration.scoring.checks import violations
from orchestration.settings import PubsubSettings
from tests.conftest import FINDINGS_PROMPT, Analyst
from tests.ingestion.test_landing import LIMIT, SUBSCRIPTION, document, message, states
from tests.scoring.scenario import ACME, BANKRUPTCY, BETA, RECALL, land_texts, run

FORWARDED = {
    "CloudPubSubDeadLetterSourceSubscription": "supplier-news-ingest",
    "CloudPubSubDeadLetterSourceDeliveryCount": "5",
}


@pytest.fixture
def dead_topic(broker: GooglePubsub) -> Iterator[GooglePubsub]:
    with GooglePubsub(PubsubSettings.load().of_dead_letters()) as dead:
        yield dead


def let_die(connection: Connection, analyst: Analyst) -> None:
    """One document whose findings are refused: dead at once; another that is scored."""
    land_texts(connection, RECALL, BANKRUPTCY)
    analyst.fail_with({"kind": "refusal", "times": 1, "contains": FINDINGS_PROMPT})
    run(connection, analyst.settings)
    analyst.recover()


def pulled(broker: GooglePubsub) -> list[Message]:
    for _ in range(20):
        if found := broker.pull(100, 1):
            broker.acknowledge([message.receipt for message in found])
            return found
    return []


def test_a_refused_message_and_dead_work_stand_in_one_list_that_filters_narrow(
    connection: Connection, analyst: Analyst
) -> None:
    let_die(connection, analyst)
    land(connection, SUBSCRIPTION, [message(b"no json", batch_id="poison")], LIMIT)
    refused, item = find(connection, Filter())
    assert (refused["step"], refused["reason"], refused["batch_id"]) == (
        *("landing", "not_json", "poison"),
    )
    assert (item["step"], item["reason"], item["attempts"]) == ("findings", "refusal", 1)
    assert (item["supplier_id"], item["batch_id"]) in {("acme", "b"), ("beta", "b")}

    def ids(**wanted: object) -> list[str]:
        return [row["dead_letter_id"] for row in find(connection, Filter(**wanted))]  # type: ignore[arg-type]

    assert ids(reason="refusal") == [item["dead_letter_id"]]
    assert ids(batch="poison") == ids(ids=[refused["dead_letter_id"]])
    assert ids(supplier=item["supplier_id"]) == [item["dead_letter_id"]]
    assert ids(supplier="acme", batch="poison") == []
    now = datetime.now(UTC)
    assert len(ids(since=now - timedelta(minutes=5), before=now)) == 2
    assert ids(before=now - timedelta(minutes=5)) == []
    assert payload(connection, refused["dead_letter_id"])[0] == b"no json"


def test_a_redriven_item_is_scored_and_dead_no_more(
    connection: Connection, analyst: Analyst, broker: GooglePubsub
) -> None:
    let_die(connection, analyst)
    assert sorted(states(connection).values()) == ["dead", "scored"]
    (item,) = find(connection, Filter())
    assert redrive(connection, broker, [item["dead_letter_id"]]) == 1
    assert redrive(connection, broker, [item["dead_letter_id"]]) == 0
    assert sorted(states(connection).values()) == ["pending", "scored"]
    run(connection, analyst.settings)
    assert set(states(connection).values()) == {"scored"}
    assert list(find(connection, Filter())) == []
    assert violations(connection) == {}


def test_a_redriven_message_is_read_anew_under_the_limits_of_today(
    connection: Connection, broker: GooglePubsub
) -> None:
    data = document("fire" * 1_000, "big")
    land(connection, SUBSCRIPTION, [message(data, "big", batch_id="b1", **FORWARDED)], 1_000)
    (refused,) = find(connection, Filter(reason="too_large"))
    assert redrive(connection, broker, [refused["dead_letter_id"]]) == 1
    assert list(find(connection, Filter())) == []
    assert land_from(broker, connection, 10, LIMIT) == {"document": 1}
    landed = one(connection, "select batch_id from ingest.messages where landed_as = 'document'")
    assert landed["batch_id"] == "b1"
    assert violations(connection) == {}


def test_what_is_dropped_is_kept_but_listed_and_tried_no_more(
    connection: Connection, analyst: Analyst, broker: GooglePubsub
) -> None:
    let_die(connection, analyst)
    land(connection, SUBSCRIPTION, [message(b"no json")], LIMIT)
    ids = [row["dead_letter_id"] for row in find(connection, Filter())]
    assert drop(connection, ids) == 2
    assert list(find(connection, Filter())) == []
    assert {row["state"] for row in find(connection, Filter(), state=None)} == {"dropped"}
    assert redrive(connection, broker, ids) == 0
    assert violations(connection) == {}


def test_what_was_dropped_and_dies_again_is_listed_again(
    connection: Connection, analyst: Analyst
) -> None:
    let_die(connection, analyst)
    (item,) = find(connection, Filter())
    drop(connection, [item["dead_letter_id"]])
    analyst.fail_with({"kind": "refusal", "contains": FINDINGS_PROMPT})
    run(connection, analyst.settings, targets=[f"{item['supplier_id']}@{item['country']}"])
    assert [row["dead_letter_id"] for row in find(connection, Filter())] == [item["dead_letter_id"]]


def test_work_that_a_newer_generation_did_is_no_dead_letter(
    connection: Connection, analyst: Analyst
) -> None:
    let_die(connection, analyst)
    (item,) = find(connection, Filter())
    newer = analyst.settings.model_copy(update={"parameters": {"seed": 1}, "model": "other"})
    result = run(connection, newer, targets=[f"{item['supplier_id']}@{item['country']}"])
    assert result.failures == {}
    assert list(find(connection, Filter())) == []


def test_neither_what_was_dropped_nor_what_is_outdated_is_published(
    connection: Connection, analyst: Analyst, dead_topic: GooglePubsub
) -> None:
    load(connection, [ACME, BETA])
    batch = [message(document(RECALL, "a")), message(document(BANKRUPTCY, "b"))]
    land(connection, SUBSCRIPTION, batch, LIMIT)
    analyst.fail_with({"kind": "refusal", "contains": FINDINGS_PROMPT})
    run(connection, analyst.settings)
    analyst.recover()
    first, second = find(connection, Filter())
    drop(connection, [first["dead_letter_id"]])
    name = "a" if second["supplier_id"] == "acme" else "b"
    land(connection, SUBSCRIPTION, [message(document("Nothing.", name, version=2))], LIMIT)
    assert publish_dead(connection, dead_topic) == 0


def test_after_a_redrive_or_a_drop_nothing_is_outstanding(
    connection: Connection, analyst: Analyst, broker: GooglePubsub
) -> None:
    let_die(connection, analyst)
    land(connection, SUBSCRIPTION, [message(b"no json"), message(b"[]")], LIMIT)
    result = run(connection, analyst.settings)
    assert result.open_letters == {"dead": 1, "rejected": 2}
    assert result.outstanding == [
        *("1 dead: refusal", "1 rejected: not_an_object", "1 rejected: not_json"),
    ]
    refused, other, item = sorted(row["dead_letter_id"] for row in find(connection, Filter()))[::-1]
    drop(connection, [refused])
    redrive(connection, broker, [other, item])
    result = run(connection, analyst.settings)
    assert (result.open_letters, result.outstanding) == ({"dead": 0, "rejected": 0}, [])


@pytest.mark.parametrize(
    ("dead_letter_id", "says"),
    [
        ("item-x", "no id of a dead letter"),
        ("7", "no id"),
        ("item-99999999999999999999", "No open"),
    ],
)
def test_an_id_that_no_dead_letter_has_is_wrong_use(
    connection: Connection, dead_letter_id: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        find(connection, Filter(ids=[dead_letter_id]))


def test_a_dead_document_is_published_once_with_the_reason_and_its_text(
    connection: Connection, analyst: Analyst, dead_topic: GooglePubsub
) -> None:
    let_die(connection, analyst)
    assert publish_dead(connection, dead_topic) == 1
    assert publish_dead(connection, dead_topic) == 0
    (letter,) = pulled(dead_topic)
    (item,) = find(connection, Filter())
    assert parse_document(letter.data, LIMIT).text in {RECALL, BANKRUPTCY}
    assert dict(letter.attributes) | {"last_error": ""} == {
        "origin": "pipeline",
        "dead_letter_id": item["dead_letter_id"],
        "step": "findings",
        "reason": "refusal",
        "attempts": "1",
        "last_error": "",
    }
    redrive(connection, dead_topic, [item["dead_letter_id"]])
    analyst.fail_with({"kind": "refusal", "times": 1, "contains": FINDINGS_PROMPT})
    run(connection, analyst.settings)
    assert publish_dead(connection, dead_topic) == 1


def test_an_error_text_longer_than_an_attribute_is_cut(
    connection: Connection, analyst: Analyst, dead_topic: GooglePubsub
) -> None:
    let_die(connection, analyst)
    connection.execute("update risk.work_items set last_error = repeat('ü', 1000)")
    publish_dead(connection, dead_topic)
    (letter,) = pulled(dead_topic)
    assert letter.attributes["last_error"] == "ü" * 512


def test_what_pubsub_gave_up_on_is_kept_unread_unless_its_bytes_landed(
    connection: Connection, dead_topic: GooglePubsub
) -> None:
    land(connection, SUBSCRIPTION, [message(document("fire"), "1")], LIMIT)
    for data in (document("fire"), document("ice", "b"), b"\xff poison"):
        dead_topic.publish(data, FORWARDED).result(10)
    assert drain(dead_topic, connection, 10) == {"landed": 1, "kept": 2}
    kept = find(connection, Filter())
    assert {row["reason"] for row in kept} == {"dead_lettered"}
    assert "gave up after 5 deliveries" in kept[0]["last_error"]
    assert sorted(states(connection).values()) == ["duplicate", "pending", "rejected", "rejected"]
    assert violations(connection) == {}
    redrive(connection, dead_topic, [row["dead_letter_id"] for row in kept])
    assert land_from(dead_topic, connection, 10, LIMIT) == {"document": 1, "rejection": 1}


def test_our_own_dead_letters_are_acknowledged_unread_and_no_publisher_can_pass_as_us(
    connection: Connection, dead_topic: GooglePubsub
) -> None:
    dead_topic.publish(document("fire"), {"origin": "pipeline"}).result(10)
    dead_topic.publish(document("ice", "b"), {"origin": "pipeline", **FORWARDED}).result(10)
    assert drain(dead_topic, connection, 10) == {"kept": 1, "ours": 1}
    (kept,) = find(connection, Filter())
    assert payload(connection, kept["dead_letter_id"])[0] == document("ice", "b")
    assert pulled(dead_topic) == []


def test_an_empty_dead_letter_subscription_is_no_trouble(
    connection: Connection, dead_topic: GooglePubsub
) -> None:
    result = dead_letter_sensor(postgres=Postgres(), pubsub=Pubsub())
    assert isinstance(result, dg.SensorResult)
    assert "no dead letters" in str(result.skip_reason)
    assert result.asset_events == []


def test_a_missing_dead_letter_subscription_says_what_to_do(
    connection: Connection, broker: GooglePubsub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_DEAD_LETTER_SUBSCRIPTION", "does-not-exist")
    with pytest.raises(BrokerError, match=r"does-not-exist.*create it"):
        dead_letter_sensor(postgres=Postgres(), pubsub=Pubsub())


def test_the_sensor_tells_dagster_what_came_and_went(
    connection: Connection, analyst: Analyst, dead_topic: GooglePubsub
) -> None:
    let_die(connection, analyst)
    dead_topic.publish(b"poison", FORWARDED).result(10)
    result = dead_letter_sensor(postgres=Postgres(), pubsub=Pubsub())
    assert isinstance(result, dg.SensorResult)
    (event,) = result.asset_events
    assert isinstance(event, dg.AssetMaterialization)
    numbers = {name: value.value for name, value in event.metadata.items()}
    assert (numbers["published"], numbers["kept"]) == (1, 1)


def test_the_job_redrives_what_its_config_says_and_nothing_without_a_filter(
    connection: Connection, analyst: Analyst, broker: GooglePubsub
) -> None:
    let_die(connection, analyst)

    def execute(**config: object) -> None:
        handle_dead_letters.execute_in_process(
            run_config={"ops": {"handle": {"config": config}}},
            resources={"postgres": Postgres(), "pubsub": Pubsub()},
        )

    with pytest.raises(UsageError, match="Say which"):
        execute(action="REDRIVE")
    with pytest.raises(UsageError, match="time zone"):
        execute(action="REDRIVE", since="2026-01-01")
    execute(action="REDRIVE", reason="refusal")
    assert sorted(states(connection).values()) == ["pending", "scored"]
