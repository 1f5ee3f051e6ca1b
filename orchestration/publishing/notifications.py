"""Messages on their way: claimed with a lease, sent, marked; tried again with growing waits.

A claim is committed before the message leaves, and no lock is held meanwhile. A process that is
killed after the receiver took a message and before the mark sends it once more when the lease ends,
under the same id.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from orchestration.crash_points import reach
from orchestration.publishing.alerts import load_message
from orchestration.publishing.notification_channels import NotDelivered, send
from orchestration.resources.postgres import Connection, one
from orchestration.settings import AlertSettings

LEASE_SECONDS = 60  # one attempt takes ALERTS_TIMEOUT_SECONDS, and what a slow DNS adds
_FIRST_WAIT = timedelta(seconds=30)
_WAIT_GROWS_BY = 4
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Claimed:
    """A message that only this process may send until the lease ends."""

    notification_id: UUID
    channel: str
    attempts: int


@dataclass
class Delivered:
    """What became of the messages of one tick: channels that took one, and sentences."""

    sent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)


def deliver(connection: Connection, settings: AlertSettings, seconds: float) -> Delivered:
    """Send what is due, one message after another, and begin none after `seconds`."""
    delivered, deadline = Delivered(), time.monotonic() + seconds
    while time.monotonic() < deadline and (claimed := _claim(connection, settings.channels)):
        if claimed.attempts > settings.max_attempts:
            _fail(connection, claimed, settings, NotDelivered("abandoned"), delivered)
            continue
        try:
            message = load_message(connection, claimed.notification_id)
            trouble = send(message, claimed.channel, settings)
        except NotDelivered as error:
            _fail(connection, claimed, settings, error, delivered)
        else:
            reach("after_send_before_mark")
            _mark(connection, claimed, "sent", trouble, timedelta())
            delivered.sent.append(claimed.channel)
            if trouble:
                delivered.failed.append(f"{claimed.channel}: {trouble}")
    return delivered


def unsent(connection: Connection, channels: Sequence[str]) -> dict[str, int]:
    """How many messages are `dead`, and `orphaned`: waiting for a channel that is not set any
    more."""
    return one(
        connection,
        """
        select
            count(*) filter (where state = 'dead') as dead,
            count(*) filter (where state <> 'dead' and not channel = any(%s)) as orphaned
        from risk.notifications
        where state <> 'sent'
        """,
        [list(channels)],
    )


def retry(connection: Connection) -> int:
    """Let all messages that were given up be tried again at once; returns how many."""
    return connection.execute(
        "update risk.notifications set state = 'waiting', attempts = 0, available_at = now()"
        " where state = 'dead'"
    ).rowcount


def _claim(connection: Connection, channels: Sequence[str]) -> Claimed | None:
    row = connection.execute(
        """
        update risk.notifications set
            state = 'sending',
            attempts = attempts + 1,
            available_at = now() + make_interval(secs => %s)
        where notification_id = (
            select notification_id from risk.notifications
            where
                state in ('waiting', 'sending') and available_at <= now() and channel = any(%s)
            order by available_at, notification_id
            limit 1
            for update skip locked
        )
        returning notification_id, channel, attempts
        """,
        [LEASE_SECONDS, list(channels)],
    ).fetchone()
    return None if row is None else Claimed(**row)


def _fail(
    connection: Connection,
    claimed: Claimed,
    settings: AlertSettings,
    error: NotDelivered,
    delivered: Delivered,
) -> None:
    if claimed.attempts >= settings.max_attempts:
        _mark(connection, claimed, "dead", error.error_class, timedelta())
        delivered.dead.append(
            f"{claimed.channel}: given up after {settings.max_attempts} attempts "
            f"({error.error_class})"
        )
        return
    grown = _FIRST_WAIT * _WAIT_GROWS_BY ** min(claimed.attempts - 1, 10)
    wait = max(min(grown, _LONGEST_WAIT), error.wait or timedelta())
    _mark(connection, claimed, "waiting", error.error_class, wait)
    delivered.failed.append(
        f"{claimed.channel}: {error.error_class}, again in {wait.total_seconds():.0f} s"
    )


def _mark(
    connection: Connection,
    claimed: Claimed,
    state: str,
    error_class: str | None,
    wait: timedelta,
) -> None:
    """Only the holder of the lease may: attempts tell which claim it was."""
    connection.execute(
        """
        update risk.notifications set
            state = %(state)s,
            last_error_class = coalesce(%(error_class)s, last_error_class),
            available_at = now() + %(wait)s,
            sent_at = case when %(state)s = 'sent' then now() end
        where notification_id = %(id)s and state = 'sending' and attempts = %(attempts)s
        """,
        {
            "state": state,
            "error_class": error_class,
            "wait": wait,
            "id": claimed.notification_id,
            "attempts": claimed.attempts,
        },
    )
