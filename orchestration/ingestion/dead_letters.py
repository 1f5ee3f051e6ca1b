"""Dead letters: what was refused at landing or failed for good; shown, tried again, or let go.

`message-12` is a refused message, `item-34` a work item. Trying again publishes a message's bytes
anew, and makes an item claimable with all its attempts before it. Nothing is deleted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from orchestration.errors import BrokerError, UsageError
from orchestration.resources.broker import Broker, confirmed
from orchestration.resources.postgres import Connection, one

# Pub/Sub takes no attribute of these names from a publisher.
_ADDED_BY_PUBSUB = ("CloudPubSubDeadLetter", "goog")
_CHUNK = 200
_RESULT_SECONDS = 60.0


@dataclass(frozen=True)
class Filter:
    """Which dead letters: all that every given part agrees to. Times are those of the death."""

    ids: Sequence[str] = ()
    reason: str | None = None
    supplier: str | None = None
    batch: str | None = None
    since: datetime | None = None
    before: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it means every dead letter."""
        return self == Filter()


_WANTED: LiteralString = """
select * from risk.dead_letters
where
    (%(state)s::text is null or state = %(state)s)
    and (%(ids)s::text[] is null or dead_letter_id = any(%(ids)s))
    and (%(reason)s::text is null or reason = %(reason)s)
    and (%(supplier)s::text is null or supplier_id = %(supplier)s)
    and (%(batch)s::text is null or batch_id = %(batch)s)
    and (%(since)s::timestamptz is null or dead_since >= %(since)s)
    and (%(before)s::timestamptz is null or dead_since < %(before)s)
"""


def find(
    connection: Connection, wanted: Filter, limit: int | None = None, state: str | None = "open"
) -> Sequence[Mapping[str, Any]]:
    """Rows of risk.dead_letters, the newest first.

    Raises UsageError for an id that is none, or that no dead letter has.
    """
    _check_ids(wanted.ids)
    rows = connection.execute(
        f"{_WANTED} order by dead_since desc, dead_letter_id limit %(limit)s",
        {**_parameters(wanted, state), "limit": limit},
    ).fetchall()
    _check_found(wanted.ids, {row["dead_letter_id"] for row in rows}, limit, state)
    return rows


def count(connection: Connection, wanted: Filter) -> int:
    """How many open ones there are."""
    query: LiteralString = f"select count(*) as found from ({_WANTED}) as wanted"
    return int(one(connection, query, _parameters(wanted, "open"))["found"])


def payload(connection: Connection, dead_letter_id: str) -> tuple[bytes, Mapping[str, str]]:
    """Bytes and attributes of a refused message, as they came."""
    row = connection.execute(
        "select data, attributes from ingest.rejections"
        " inner join ingest.payloads using (data_sha256) where rejection_id = %s",
        [_number(dead_letter_id)],
    ).fetchone()
    if row is None:
        raise UsageError(f"There is no dead letter {dead_letter_id}.")
    return row["data"], row["attributes"]


def redrive(connection: Connection, broker: Broker, ids: Sequence[str]) -> int:
    """Try these again; returns how many there were that were still open.

    A message is marked only after the broker has confirmed its bytes: a crash in between publishes
    it once more, and landing knows the copy by its content. Raises BrokerError.
    """
    done = _reopen_items(connection, _numbers(ids, "item"))
    messages = _numbers(ids, "message")
    for start in range(0, len(messages), _CHUNK):
        done += _publish_again(connection, broker, messages[start : start + _CHUNK])
    return done


def drop(connection: Connection, ids: Sequence[str]) -> int:
    """Let these go: they stay, as dropped; returns how many were still open."""
    messages = connection.execute(
        "update ingest.rejections set state = 'dropped'"
        " where rejection_id = any(%s) and state = 'open'",
        [_numbers(ids, "message")],
    )
    items = connection.execute(
        "update risk.work_items set outcome = 'dropped'"
        " where item_id = any(%s) and state = 'dead' and outcome is distinct from 'dropped'",
        [_numbers(ids, "item")],
    )
    return messages.rowcount + items.rowcount


def _reopen_items(connection: Connection, item_ids: Sequence[int]) -> int:
    return connection.execute(
        """
        update risk.work_items
        set
            state = 'pending', outcome = null, attempts = 0, available_at = now(),
            finished_at = null
        where item_id = any(%s) and state = 'dead' and outcome is distinct from 'dropped'
        """,
        [list(item_ids)],
    ).rowcount


def _publish_again(connection: Connection, broker: Broker, rejection_ids: Sequence[int]) -> int:
    rows = connection.execute(
        """
        select rejections.rejection_id, payloads.data, rejections.attributes, messages.ordering_key
        from ingest.rejections
        inner join ingest.payloads using (data_sha256)
        inner join ingest.messages using (subscription, message_id)
        where rejections.rejection_id = any(%s) and rejections.state = 'open'
        order by messages.sequence
        """,
        [list(rejection_ids)],
    ).fetchall()
    sent = [
        broker.publish(row["data"], _as_published(row["attributes"]), row["ordering_key"] or "")
        for row in rows
    ]
    try:
        for future in sent:
            confirmed(future, _RESULT_SECONDS)
    except BrokerError as error:
        raise BrokerError(
            f"Pub/Sub did not take a dead letter again: {error} Nothing is lost: redrive the "
            "same ones again when the broker is up."
        ) from error
    connection.execute(
        "update ingest.rejections set state = 'redriven' where rejection_id = any(%s)",
        [[row["rejection_id"] for row in rows]],
    )
    return len(rows)


def _as_published(attributes: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in attributes.items() if not name.startswith(_ADDED_BY_PUBSUB)
    }


def _parameters(wanted: Filter, state: str | None) -> dict[str, Any]:
    return {**vars(wanted), "ids": list(wanted.ids) or None, "state": state}


def _check_ids(ids: Sequence[str]) -> None:
    for dead_letter_id in ids:
        kind, _, number = dead_letter_id.partition("-")
        if kind not in {"item", "message"} or not (number.isascii() and number.isdigit()):
            raise UsageError(
                f"{dead_letter_id[:60]!r} is no id of a dead letter, such as item-12 or message-3; "
                "`supplier-risk dead-letters list` shows them."
            )


def _check_found(ids: Sequence[str], found: set[str], limit: int | None, state: str | None) -> None:
    missing = [one for one in ids if one not in found]
    if missing and limit is None:
        raise UsageError(
            f"No {state + ' ' if state else ''}dead letter has the id {', '.join(missing[:5])}; "
            "`supplier-risk dead-letters list` shows those that are open."
        )


def _numbers(ids: Sequence[str], kind: str) -> list[int]:
    return [_number(one) for one in ids if one.startswith(f"{kind}-")]


def _number(dead_letter_id: str) -> int:
    return int(dead_letter_id.partition("-")[2])
