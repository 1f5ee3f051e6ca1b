"""Publishes documents to the topic: the same way for a file, a feed or another program."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orchestration.errors import BrokerError, UsageError
from orchestration.ingestion.message import Document, Rejected, check_attributes
from orchestration.ingestion.reading import Record
from orchestration.resources.broker import Broker, confirmed

MAX_ORDERING_KEY_BYTES = 1_024
_IN_FLIGHT = 1_000
_RESULT_SECONDS = 60.0


@dataclass
class Published:
    """What a publish did: messages sent, and records refused with their place and reason."""

    batch_id: str
    sent: int = 0
    refused: list[tuple[str, Rejected]] = field(default_factory=list)


def new_batch_id() -> str:
    """An id for the batch of one publish command, sortable by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"


def check_names(batch_id: str, ordering_key: str) -> None:
    """Raises UsageError when no message could carry this batch id or ordering key."""
    try:
        check_attributes({"batch_id": batch_id}, ordering_key)
    except Rejected as rejected:
        raise UsageError(f"{rejected.detail}: choose another") from None
    if not (batch_id + ordering_key).isprintable():
        raise UsageError("batch id and ordering key must be printable characters")
    if len(ordering_key.encode()) > MAX_ORDERING_KEY_BYTES:
        raise UsageError(f"the ordering key is longer than {MAX_ORDERING_KEY_BYTES:,} bytes")


def publish(
    broker: Broker,
    records: Iterator[Record],
    batch_id: str,
    ordering_key: str,
    max_document_bytes: int,
    on_progress: Callable[[], None],
) -> Published:
    """Send every valid record and wait until the broker has confirmed each one.

    Raises BrokerError with the number already confirmed when the broker fails.
    """
    result = Published(batch_id)
    waiting: list[Future[str]] = []
    for record in records:
        data = record.content.to_json() if isinstance(record.content, Document) else b""
        if isinstance(record.content, Rejected):
            result.refused.append((record.place, record.content))
        elif len(data) > max_document_bytes:
            detail = f"{len(data):,} bytes; the limit is {max_document_bytes:,}"
            result.refused.append((record.place, Rejected("too_large", detail)))
        else:
            waiting.append(broker.publish(data, {"batch_id": batch_id}, ordering_key))
        on_progress()
        if len(waiting) >= _IN_FLIGHT:
            _confirm(waiting, result)
    _confirm(waiting, result)
    return result


def _confirm(waiting: list["Future[str]"], result: Published) -> None:
    for future in waiting:
        try:
            confirmed(future, _RESULT_SECONDS)
        except BrokerError as error:
            raise BrokerError(
                f"Pub/Sub did not take the message after the {result.sent:,} confirmed ones of "
                f"batch {result.batch_id}: {error} Publishing the same files again is safe: "
                "what arrived is recognised by its content."
            ) from error
        result.sent += 1
    waiting.clear()


def redate(records: Sequence[Record], days: int, now: datetime) -> list[Record]:
    """Map the dates of the records, in order, into the last `days` days; originals are kept.

    The oldest date falls on the window's start, the newest on `now`; undated records stay undated.
    """
    dates = sorted(
        record.content.published_at
        for record in records
        if isinstance(record.content, Document) and record.content.published_at
    )
    if not dates:
        return list(records)
    rank = {moment: position for position, moment in enumerate(dict.fromkeys(dates))}
    step = timedelta(days=days) / max(1, len(rank) - 1)
    start = now - timedelta(days=days)

    def moved(record: Record) -> Record:
        if not isinstance(record.content, Document) or record.content.published_at is None:
            return record
        original = record.content.published_at
        update = {
            "published_at": (start + step * rank[original]).replace(microsecond=0),
            "original_published_at": original,
        }
        return Record(record.place, record.content.model_copy(update=update))

    return [moved(record) for record in records]
