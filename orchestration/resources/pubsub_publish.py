"""Publishing with Google's library: any attribute, and no patience without end."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from google.api_core import exceptions as google_errors
from google.api_core.retry import Retry
from google.cloud.pubsub_v1.publisher.exceptions import MessageTooLargeError
from google.cloud.pubsub_v1.types import PubsubMessage
from google.pubsub_v1.services.publisher import PublisherClient as PlainPublisher

from orchestration.resources.pubsub_errors import PASSING, explained

_CALL_SECONDS = 30.0
_PUBLISH_SECONDS = 25.0
_PARAMETERS = frozenset({"self", "topic", "data", "ordering_key", "retry", "timeout"})


def publish(
    client: Any, topic: str, data: bytes, attributes: Mapping[str, str], ordering_key: str
) -> "Future[str]":
    """The message id in time, or the BrokerError that names the topic."""
    published: Future[str] = Future()
    try:
        sent = _send(client, topic, data, attributes, ordering_key)
    except (MessageTooLargeError, google_errors.GoogleAPIError) as error:
        published.set_exception(explained(error, f"publishing to {topic}"))
    else:
        sent.add_done_callback(lambda done: _confirm(done, published, topic))
    return published


def _send(
    client: Any, topic: str, data: bytes, attributes: Mapping[str, str], ordering_key: str
) -> "Future[str]":
    """Google's library takes attributes as keywords: one that has the name of a parameter of its
    own goes past it, alone."""
    if _PARAMETERS.isdisjoint(attributes):
        sent: Future[str] = client.publish(
            topic,
            data,
            ordering_key=ordering_key,
            retry=_patience(_PUBLISH_SECONDS),
            **attributes,
        )
        return sent
    message = PubsubMessage(data=data, attributes=dict(attributes), ordering_key=ordering_key)
    answer = PlainPublisher.publish(client, topic=topic, messages=[message], timeout=_CALL_SECONDS)
    sent = Future()
    sent.set_result(answer.message_ids[0])
    return sent


def _confirm(sent: "Future[str]", published: "Future[str]", topic: str) -> None:
    if error := sent.exception():
        published.set_exception(explained(error, f"publishing to {topic}"))
    else:
        published.set_result(sent.result())


def _patience(seconds: float) -> Retry:
    """Tries again until so many seconds from now, whatever deadline Google's library puts in: it
    would try for ever where messages keep their order."""
    deadline = time.monotonic() + seconds

    def give_up(error: Exception) -> None:
        if time.monotonic() > deadline:
            raise error

    return Retry(PASSING, initial=0.1, maximum=5.0, on_error=give_up)
