"""StreamingPull with Google's library, which keeps the leases of what it handed over."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Literal

from google.api_core import exceptions as google_errors
from google.cloud.pubsub_v1.subscriber.scheduler import ThreadScheduler
from google.cloud.pubsub_v1.types import FlowControl

from orchestration.resources.pubsub_errors import explained

# Renewed while it is held; when its reader dies, a message comes again so much later.
_LEASE_SECONDS = 20
_END_SECONDS = 10.0


class Streams:
    """The streams of one subscription, and what they handed over until it is settled."""

    def __init__(self, subscription: str) -> None:
        self._subscription = subscription
        self._held: dict[str, Any] = {}

    @contextmanager
    def open(
        self, client: Any, take: Callable[[Any], None], max_messages: int, max_bytes: int
    ) -> Iterator["Future[None]"]:
        """See Broker; `take` gets messages as Google's library has them."""

        def deliver(received: Any) -> None:
            self._held[received.ack_id] = received
            take(received)

        ended: Future[None] = Future()
        streaming = client.subscribe(
            self._subscription,
            callback=deliver,
            flow_control=FlowControl(
                max_messages=max_messages,
                max_bytes=max_bytes,
                max_duration_per_lease_extension=_LEASE_SECONDS,
            ),
            scheduler=ThreadScheduler(ThreadPoolExecutor(max_workers=1)),
        )
        streaming.add_done_callback(lambda done: self._end(done, ended))
        try:
            yield ended
        finally:
            streaming.cancel()
            wait([ended], timeout=_END_SECONDS)
            self._held.clear()

    def settle(self, receipts: Sequence[str], verdict: Literal["ack", "nack"]) -> list[str]:
        """Tell the stream of its own messages; returns the receipts of the others."""
        others = []
        for receipt in receipts:
            if received := self._held.pop(receipt, None):
                getattr(received, verdict)()
            else:
                others.append(receipt)
        return others

    def _end(self, streaming: "Future[Any]", ended: "Future[None]") -> None:
        error = None if streaming.cancelled() else streaming.exception()
        if isinstance(error, google_errors.GoogleAPIError):
            error = explained(error, f"streaming from {self._subscription}")
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)
