"""Google Pub/Sub, or its emulator, behind the broker protocol."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import grpc
from google.api_core import exceptions as google_errors
from google.api_core.retry import Retry
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import pubsub_v1
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from orchestration.errors import BrokerError
from orchestration.resources import pubsub_publish
from orchestration.resources.broker import Message
from orchestration.resources.pubsub_errors import LOG_IN, PASSING, explained
from orchestration.resources.pubsub_stream import Streams
from orchestration.resources.pubsub_wanted import Wanted
from orchestration.settings import PubsubSettings

MAX_MESSAGE_BYTES = 10_000_000
# An answer that is larger is refused, so that no flood of large messages fills the memory.
MAX_ANSWER_MESSAGES = 16
_MAX_ANSWER_BYTES = MAX_ANSWER_MESSAGES * (MAX_MESSAGE_BYTES + 100_000)
_CALL_SECONDS = 30.0
_CONNECT_SECONDS = 1.0
_SETTLE_SECONDS = 15.0
_GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", _MAX_ANSWER_BYTES),
    ("grpc.max_send_message_length", -1),
]


class GooglePubsub:
    """One topic and one subscription, and those of the dead letters. Implements Broker; close it
    or use it as a context."""

    def __init__(self, settings: PubsubSettings) -> None:
        self._settings = settings
        self.wanted = Wanted.of(settings)
        self.topic = self.wanted.topic
        self.subscription: str = self.wanted.subscription.name
        self._streams = Streams(self.subscription)
        self.dead_letter_topic = self.wanted.dead_letter_topic
        self.dead_letter_subscription: str = self.wanted.dead_letter_subscription.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Send what is still buffered and close the connections that were opened."""
        if "_publisher" in self.__dict__:
            self._publisher.stop()
            self._publisher.transport.close()
        if "_subscriber" in self.__dict__:
            self._subscriber.close()

    def pull(self, max_messages: int, timeout: float) -> list[Message]:
        """See Broker. Raises BrokerError naming the subscription.

        Of what is too large to take at once it asks for less: the rest comes again.
        """
        try:
            response = self._subscriber.pull(
                subscription=self.subscription,
                max_messages=max_messages,
                timeout=timeout,
                retry=None,
            )
        except google_errors.DeadlineExceeded as error:
            self._require_connection(error)
            return []
        except google_errors.ResourceExhausted as error:
            if max_messages > MAX_ANSWER_MESSAGES and "larger than max" in error.message:
                return self.pull(MAX_ANSWER_MESSAGES, timeout)
            raise explained(error, f"pulling from {self.subscription}") from error
        except google_errors.GoogleAPIError as error:
            raise explained(error, f"pulling from {self.subscription}") from error
        return [
            _message(received.message, received.ack_id, received.delivery_attempt)
            for received in response.received_messages
        ]

    @contextmanager
    def stream(
        self, take: Callable[[Message], None], max_messages: int, max_bytes: int
    ) -> Iterator["Future[None]"]:
        """See Broker. Google's library keeps the leases of what it handed over."""

        def deliver(received: Any) -> None:
            take(_message(received, received.ack_id, received.delivery_attempt))

        with self._streams.open(self._subscriber, deliver, max_messages, max_bytes) as ended:
            yield ended

    def acknowledge(self, receipts: Sequence[str]) -> None:
        """See Broker. Nothing to acknowledge is no call."""
        receipts = self._streams.settle(receipts, "ack")
        if not receipts:
            return
        try:
            self._subscriber.acknowledge(
                subscription=self.subscription,
                ack_ids=list(receipts),
                timeout=_CALL_SECONDS,
                retry=Retry(PASSING, timeout=_SETTLE_SECONDS),
            )
        except google_errors.GoogleAPIError as error:
            raise explained(error, f"acknowledging on {self.subscription}") from error

    def reject(self, receipts: Sequence[str]) -> None:
        """See Broker."""
        receipts = self._streams.settle(receipts, "nack")
        if not receipts:
            return
        try:
            self._subscriber.modify_ack_deadline(
                subscription=self.subscription,
                ack_ids=list(receipts),
                ack_deadline_seconds=0,
                timeout=_CALL_SECONDS,
                retry=Retry(PASSING, timeout=_SETTLE_SECONDS),
            )
        except google_errors.GoogleAPIError as error:
            raise explained(error, f"rejecting on {self.subscription}") from error

    def publish(
        self, data: bytes, attributes: Mapping[str, str], ordering_key: str = ""
    ) -> "Future[str]":
        """See Broker. Messages with one ordering key are delivered in the order of these calls."""
        return pubsub_publish.publish(self._publisher, self.topic, data, attributes, ordering_key)

    def topic_exists(self) -> bool:
        """Whether the broker answers and knows the topic."""
        try:
            self._publisher.get_topic(topic=self.topic, timeout=5.0, retry=None)
        except (google_errors.NotFound, google_errors.RetryError):
            return False
        except google_errors.GoogleAPIError as error:
            raise explained(error, f"looking for {self.topic}") from error
        return True

    def require_topic(self) -> None:
        """Raises BrokerError at once when the broker is away or the topic does not exist."""
        try:
            self._publisher.get_topic(topic=self.topic, timeout=5.0, retry=None)
        except google_errors.PermissionDenied:
            return  # who may publish need not be allowed to look
        except google_errors.GoogleAPIError as error:
            raise explained(error, f"looking for {self.topic}") from error

    def require_subscription(self) -> None:
        """See Broker."""
        try:
            self._subscriber.get_subscription(
                subscription=self.subscription, timeout=5.0, retry=None
            )
        except google_errors.PermissionDenied:
            return  # who may pull need not be allowed to look
        except google_errors.GoogleAPIError as error:
            raise explained(error, f"looking for {self.subscription}") from error

    def create_topic_and_subscription(self) -> list[str]:
        """Create what is missing, as it must be, dead letters included; returns its names."""
        publisher, subscriber, wanted = self._publisher, self._subscriber, self.wanted
        return [
            *(n for n in wanted.topics if _is_new(publisher.create_topic, name=n)),
            *(
                s.name
                for s in wanted.subscriptions
                if _is_new(subscriber.create_subscription, request=s)
            ),
        ]

    def clients(self) -> tuple[Any, Any]:
        """Publisher and subscriber of Google's library, for what is no matter of messages."""
        return self._publisher, self._subscriber

    def _require_connection(self, error: google_errors.GoogleAPIError) -> None:
        """No message in time is no trouble, unless nobody was there to send one."""
        channel = self._subscriber.transport.grpc_channel
        try:
            grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
        except grpc.FutureTimeoutError:
            raise explained(error, f"pulling from {self.subscription}") from error

    @cached_property
    def _publisher(self) -> Any:
        options = pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
        try:
            return pubsub_v1.PublisherClient(
                publisher_options=options, **self._transport(PublisherGrpcTransport)
            )
        except DefaultCredentialsError as error:
            raise _no_credentials(error) from error

    @cached_property
    def _subscriber(self) -> Any:
        try:
            return pubsub_v1.SubscriberClient(**self._transport(SubscriberGrpcTransport))
        except DefaultCredentialsError as error:
            raise _no_credentials(error) from error

    def _transport(self, kind: Any) -> dict[str, Any]:
        if self._settings.emulator_host is None:
            return {}
        channel = grpc.insecure_channel(self._settings.emulator_host, options=_GRPC_OPTIONS)
        return {"transport": kind(channel=channel)}


def _message(received: Any, receipt: str, deliveries: int | None) -> Message:
    return Message(
        message_id=received.message_id,
        data=received.data,
        attributes=dict(received.attributes),
        ordering_key=received.ordering_key,
        publish_time=received.publish_time,
        receipt=receipt,
        deliveries=deliveries or 0,
    )


def _is_new(create: Callable[..., object], **wanted: object) -> bool:
    try:
        create(**wanted, timeout=_CALL_SECONDS)
    except google_errors.AlreadyExists:
        return False
    return True


def _no_credentials(error: Exception) -> BrokerError:
    return BrokerError(
        f"No Google credentials: {error}. What to do: {LOG_IN}; or set PUBSUB_EMULATOR_HOST for an "
        "emulator."
    )
