"""What the pipeline asks of a message broker, whichever it is.

Google Pub/Sub (pubsub.py) is the first implementation; another broker is one more file.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from orchestration.errors import BrokerError


@dataclass(frozen=True)
class Message:
    """One delivery of a message. `receipt` is what `acknowledge` and `reject` ask for.

    `deliveries` counts this one, too; 0 means that the subscription does not count.
    """

    message_id: str
    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str
    publish_time: datetime
    receipt: str = field(repr=False)
    deliveries: int = 0


class Broker(Protocol):
    """At-least-once delivery: a message comes again until it is acknowledged."""

    @property
    def subscription(self) -> str:
        """The full name of the subscription: with the message id, the key of a message."""

    @property
    def topic(self) -> str:
        """The full name of the topic that `publish` sends to."""

    def pull(self, max_messages: int, timeout: float) -> list[Message]:
        """At most so many messages, waiting at most `timeout` seconds; none may be none yet."""

    def stream(
        self, take: Callable[[Message], None], max_messages: int, max_bytes: int
    ) -> AbstractContextManager["Future[None]"]:
        """Hand over messages from threads of its own while the block lasts, no more than so many
        unacknowledged at once. The future ends, with BrokerError, when none will come any more.
        """

    def acknowledge(self, receipts: Sequence[str]) -> None:
        """These deliveries are dealt with for good."""

    def reject(self, receipts: Sequence[str]) -> None:
        """These deliveries are wanted again at once."""

    def publish(
        self, data: bytes, attributes: Mapping[str, str], ordering_key: str = ""
    ) -> "Future[str]":
        """Send one message; the future gives its id or raises BrokerError."""

    def require_subscription(self) -> None:
        """Raises BrokerError at once when the broker is away or the subscription does not exist."""


def confirmed(sent: "Future[str]", seconds: float) -> str:
    """The id of a message that was published. Raises BrokerError, also when no answer comes."""
    try:
        return sent.result(timeout=seconds)
    except TimeoutError:
        raise BrokerError(
            f"the broker did not confirm a message within {seconds:.0f} s. What to do: is the "
            "network, or the emulator at PUBSUB_EMULATOR_HOST, up?"
        ) from None
