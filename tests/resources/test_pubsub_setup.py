"""Setting up and checking topics and subscriptions, on Google's emulator."""

import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.api_core import exceptions as google_errors
from google.pubsub_v1.types import (
    BigQueryConfig,
    ExpirationPolicy,
    PushConfig,
    RetryPolicy,
    Subscription,
)

from orchestration.errors import BrokerError
from orchestration.resources import pubsub_setup
from orchestration.resources.broker import Message
from orchestration.resources.finding import Finding
from orchestration.resources.pubsub import GooglePubsub
from orchestration.resources.pubsub_findings import differing, of_subscription
from orchestration.resources.pubsub_wanted import Wanted
from orchestration.settings import PubsubSettings

REAL = PubsubSettings(project_id="acme", max_delivery_attempts=5)
WANTED = Wanted.of(REAL).subscription


@pytest.fixture
def settings(emulator_host: str) -> PubsubSettings:
    """A project of this test's own, with nothing in it."""
    return PubsubSettings(project_id=f"empty-{uuid.uuid4().hex[:8]}", emulator_host=emulator_host)


@pytest.fixture
def empty(settings: PubsubSettings) -> Iterator[GooglePubsub]:
    with GooglePubsub(settings) as broker:
        yield broker


def actual(broker: GooglePubsub, name: str) -> Subscription:
    _, subscriber = broker.clients()
    found: Subscription = subscriber.get_subscription(subscription=name)
    return found


def create(broker: GooglePubsub, subscription: Subscription) -> None:
    publisher, subscriber = broker.clients()
    for topic in broker.wanted.topics:
        publisher.create_topic(name=topic)
    subscriber.create_subscription(request=subscription)


def changed(subscription: Subscription, **fields: Any) -> Subscription:
    """A copy with other values in some fields; None takes one away."""
    copy = Subscription(subscription)
    for name, value in fields.items():
        setattr(copy, name, value)
    return copy


def arriving(broker: GooglePubsub) -> Message:
    """The next message; a pull may return none while one waits."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for message in broker.pull(1, timeout=10):
            return message
    raise AssertionError("nothing arrives")


def wrong(found: list[Finding]) -> dict[str, Finding]:
    return {finding.part: finding for finding in found if finding.state == "wrong"}


def test_setup_makes_everything_as_it_must_be(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    done = pubsub_setup.setup(empty, settings)
    assert [line.rpartition("/")[2] for line in done] == [
        "supplier-news-dead",
        "supplier-news",
        "supplier-news-dead-ingest",
        "supplier-news-ingest",
    ]
    for wanted in empty.wanted.subscriptions:
        found = actual(empty, wanted.name)
        assert differing(wanted, found) == []
        assert (found.topic, found.enable_message_ordering) == (
            wanted.topic,
            wanted.enable_message_ordering,
        )
    assert wrong(pubsub_setup.check(empty, settings)) == {}


def test_setup_a_second_time_changes_nothing(empty: GooglePubsub, settings: PubsubSettings) -> None:
    pubsub_setup.setup(empty, settings)
    before = actual(empty, empty.subscription)
    assert pubsub_setup.setup(empty, settings) == []
    assert actual(empty, empty.subscription) == before


def test_a_check_of_nothing_names_each_missing_part_with_its_command_and_changes_nothing(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    for _ in range(2):
        found = wrong(pubsub_setup.check(empty, settings))
        assert list(found) == [
            "topic",
            "dead-letter topic",
            "subscription",
            "dead-letter subscription",
        ]
    project = f"projects/{settings.project_id}"
    assert found["topic"].fix == f"gcloud pubsub topics create {project}/topics/supplier-news"
    assert found["dead-letter subscription"].fix.startswith(
        f"gcloud pubsub subscriptions create {project}/subscriptions/supplier-news-dead-ingest "
        f"--topic={project}/topics/supplier-news-dead --ack-deadline=60 --expiration-period=never"
    )


def test_what_an_update_can_mend_is_reported_and_mended(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    short = changed(empty.wanted.subscription, ack_deadline_seconds=10, retry_policy=None)
    create(empty, changed(short, message_retention_duration=timedelta(minutes=10)))
    found = [f for f in pubsub_setup.check(empty, settings) if f.part == "subscription"]
    assert [f.what for f in found] == [
        "the ack deadline is 10 s, not 60 s",
        "the retention of messages is 600 s, not 604,800 s",
        "the wait before a message comes again is at once, not 10 s to 600 s",
    ]
    assert all("gcloud pubsub subscriptions update" in f.fix for f in found)
    assert len(pubsub_setup.setup(empty, settings)) == 4  # and the dead-letter subscription
    assert wrong(pubsub_setup.check(empty, settings)) == {}


def test_a_missing_dead_letter_policy_is_reported_and_mended(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    real = Wanted.of(settings.model_copy(update={"emulator_host": None})).subscription
    create(empty, changed(real, dead_letter_policy=None))
    (found,) = of_subscription("subscription", real, actual(empty, real.name))
    topic = f"projects/{settings.project_id}/topics/supplier-news-dead"
    assert found.what == f"the dead-letter policy is none, not {topic} after 10 deliveries"
    assert found.fix.endswith(f"--dead-letter-topic={topic} --max-delivery-attempts=10")
    assert list(pubsub_setup.mend(empty, real)) == [f"changed dead_letter_policy of {real.name}"]
    (found,) = of_subscription("subscription", real, actual(empty, real.name))
    assert found.is_ok


def test_a_field_that_is_refused_is_said_and_the_others_are_changed(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    """The emulator cannot change when a subscription expires."""
    wanted = empty.wanted.subscription
    create(empty, changed(wanted, ack_deadline_seconds=10, expiration_policy=None))
    said = list(pubsub_setup.mend(empty, wanted))
    assert said[0] == f"changed ack_deadline_seconds of {wanted.name}"
    assert said[1].startswith(f"could not change expiration_policy of {wanted.name}: ")
    found = wrong(pubsub_setup.check(empty, settings))["subscription"]
    assert found.what == "its expiration is the default, not never"
    assert found.fix.endswith("--expiration-period=never")


def test_a_subscription_of_another_topic_is_reported_and_left_alone(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    wanted = empty.wanted.subscription
    foreign = changed(wanted, topic=empty.dead_letter_topic, ack_deadline_seconds=10)
    create(empty, foreign)
    pubsub_setup.setup(empty, settings)
    assert actual(empty, wanted.name).ack_deadline_seconds == 10
    found = [f.what for f in pubsub_setup.check(empty, settings) if f.state == "wrong"]
    assert found[0].startswith(f"it belongs to {empty.dead_letter_topic}, not to {empty.topic}")


def test_a_subscription_of_a_deleted_topic_is_reported_even_when_the_topic_is_made_again(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    pubsub_setup.setup(empty, settings)
    publisher, _ = empty.clients()
    publisher.delete_topic(topic=empty.topic)
    pubsub_setup.setup(empty, settings)
    found = wrong(pubsub_setup.check(empty, settings))
    assert list(found) == ["subscription"]
    assert "its topic was deleted" in found["subscription"].what
    assert found["subscription"].fix.startswith("gcloud pubsub subscriptions delete")


@pytest.mark.parametrize(
    ("fields", "words", "fix"),
    [
        ({"topic": "projects/acme/topics/other"}, "belongs to projects/acme/topics/other", " && "),
        ({"enable_message_ordering": False}, "message ordering is off", " && "),
        ({"filter": 'attributes.a = "b"'}, "the filter", " && "),
        ({"detached": True}, "detached", " && "),
        (
            {"push_config": PushConfig(push_endpoint="https://example.org")},
            "it pushes",
            "modify-push-config projects/acme/subscriptions/supplier-news-ingest --push-endpoint=",
        ),
        ({"bigquery_config": BigQueryConfig(table="p.d.t")}, "BigQuery", "--clear-bigquery-config"),
        ({"expiration_policy": ExpirationPolicy(ttl=timedelta(days=31))}, "2,678,400 s", "never"),
        (
            {"retry_policy": RetryPolicy(minimum_backoff=timedelta(seconds=1))},
            "1 s to 0 s",
            "--min-retry-delay=10s --max-retry-delay=600s",
        ),
    ],
)
def test_each_thing_that_can_be_wrong_is_named_with_what_mends_it(
    fields: dict[str, Any], words: str, fix: str
) -> None:
    (found,) = of_subscription("subscription", WANTED, changed(WANTED, **fields))
    assert found.state == "wrong"
    assert words in found.what
    assert fix in found.fix


def test_more_time_than_wanted_is_no_fault() -> None:
    longer = changed(WANTED, ack_deadline_seconds=600)
    longer = changed(longer, message_retention_duration=timedelta(days=31))
    assert differing(WANTED, longer) == []


def test_the_dead_letter_policy_is_wanted_of_google_and_not_of_the_emulator() -> None:
    policy = WANTED.dead_letter_policy
    assert policy.dead_letter_topic == "projects/acme/topics/supplier-news-dead"
    assert policy.max_delivery_attempts == 5
    emulated = Wanted.of(PubsubSettings(project_id="acme", emulator_host="127.0.0.1:1"))
    assert "dead_letter_policy" not in emulated.subscription


def test_a_message_that_nobody_acknowledges_arrives_on_the_dead_letter_subscription(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    """On a subscription without order, as with order the emulator fails instead; and without
    waits between the deliveries."""
    real = settings.model_copy(update={"emulator_host": None, "max_delivery_attempts": 5})
    wanted = Wanted.of(real)
    unordered = changed(wanted.subscription, enable_message_ordering=False, retry_policy=None)
    create(empty, unordered)
    empty.create_topic_and_subscription()
    empty.publish(b"poison", {}).result(10)
    for _ in range(5):
        empty.reject([arriving(empty).receipt])
    assert empty.pull(1, timeout=1) == []
    dead = settings.model_copy(update={"subscription": settings.dead_letter_subscription})
    with GooglePubsub(dead) as letters:
        letter = arriving(letters)
    assert letter.data == b"poison"
    assert letter.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


def test_the_emulator_has_no_grants_and_says_so(
    empty: GooglePubsub, settings: PubsubSettings
) -> None:
    pubsub_setup.setup(empty, settings)
    *_, policy, grants = pubsub_setup.check(empty, settings)
    assert (policy.part, policy.state) == ("dead-letter policy", "unknown")
    assert grants == Finding("grants", "unknown", "the emulator has no IAM; not checked")
    assert not grants.is_ok


@pytest.mark.parametrize("act", [pubsub_setup.check, pubsub_setup.setup])
def test_an_unreachable_broker_is_one_sentence(act: Any) -> None:
    away = PubsubSettings(project_id="acme", emulator_host="127.0.0.1:1")
    with GooglePubsub(away) as broker, pytest.raises(BrokerError, match="PUBSUB_EMULATOR_HOST"):
        act(broker, away)


def test_a_name_that_pubsub_does_not_take_is_one_sentence(emulator_host: str) -> None:
    odd = PubsubSettings(project_id="acme", topic="a b", emulator_host=emulator_host)
    with GooglePubsub(odd) as broker, pytest.raises(BrokerError, match="Invalid"):
        pubsub_setup.check(broker, odd)


@pytest.mark.parametrize(
    ("kind", "doing", "words"),
    [
        (google_errors.PermissionDenied, "checking", "roles/pubsub.viewer: gcloud projects"),
        (google_errors.PermissionDenied, "setting up", "--role=roles/pubsub.editor"),
        (google_errors.NotFound, "checking", "PUBSUB_PROJECT_ID"),
        (google_errors.DeadlineExceeded, "checking", "is the network"),
        (google_errors.ServiceUnavailable, "checking", "is the network"),
        (google_errors.ResourceExhausted, "setting up", "try again"),
    ],
)
def test_each_refusal_says_what_to_do(kind: Any, doing: str, words: str) -> None:
    error = kind("refused")
    said = pubsub_setup.explain(error, REAL, doing)
    assert said.startswith(f"Pub/Sub failed while {doing} project acme: {error.message}. ")
    assert words in said
