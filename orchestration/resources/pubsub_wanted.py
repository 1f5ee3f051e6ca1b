"""How the topics and subscriptions must be: one definition, for Google and for its emulator.
No calls."""

from dataclasses import dataclass
from typing import Any, Self

from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, RetryPolicy, Subscription

from orchestration.settings import PubsubSettings

ACK_DEADLINE_SECONDS = 60
# Google keeps 31 days at most, the emulator 7; beyond one day it costs.
RETENTION_SECONDS = 7 * 86_400
MIN_RETRY_SECONDS = 10
MAX_RETRY_SECONDS = 600


@dataclass(frozen=True)
class Wanted:
    """Full names, and the two subscriptions as requests that create them."""

    topic: str
    dead_letter_topic: str
    subscription: Subscription
    dead_letter_subscription: Subscription

    @classmethod
    def of(cls, settings: PubsubSettings) -> Self:
        """The state for these settings.

        The emulator (0.8.20) cannot take a dead letter from a subscription that keeps order: once
        a message is over its attempts, every pull fails. There the policy is left out.
        """
        project = f"projects/{settings.project_id}"
        topic = f"{project}/topics/{settings.topic}"
        dead_topic = f"{project}/topics/{settings.dead_letter_topic}"
        policy = None
        if settings.emulator_host is None:
            policy = DeadLetterPolicy(
                dead_letter_topic=dead_topic, max_delivery_attempts=settings.max_delivery_attempts
            )
        retries = RetryPolicy(
            minimum_backoff=Duration(seconds=MIN_RETRY_SECONDS),
            maximum_backoff=Duration(seconds=MAX_RETRY_SECONDS),
        )
        return cls(
            topic,
            dead_topic,
            _subscription(
                f"{project}/subscriptions/{settings.subscription}",
                topic,
                enable_message_ordering=True,
                retry_policy=retries,
                dead_letter_policy=policy,
            ),
            _subscription(
                f"{project}/subscriptions/{settings.dead_letter_subscription}", dead_topic
            ),
        )

    @property
    def topics(self) -> tuple[str, str]:
        """Both topics; a subscription is created after its topic and its dead-letter topic."""
        return self.dead_letter_topic, self.topic

    @property
    def subscriptions(self) -> tuple[Subscription, Subscription]:
        """Both subscriptions."""
        return self.dead_letter_subscription, self.subscription


def _subscription(name: str, topic: str, **more: Any) -> Subscription:
    """One that never expires: an expiration policy without a time to live says so."""
    return Subscription(
        name=name,
        topic=topic,
        ack_deadline_seconds=ACK_DEADLINE_SECONDS,
        expiration_policy=ExpirationPolicy(),
        message_retention_duration=Duration(seconds=RETENTION_SECONDS),
        **more,
    )
