"""Alerts as they are kept: what people are told, each once, and the messages that carry them.

An alert and its messages are committed together, before anything is sent. One message to each
channel holds all alerts that were noticed together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from orchestration.resources.postgres import Connection

Kind = Literal["band", "event", "digest"]
# What one message to a machine holds at most, some 2 kB each; people get one that counts the rest.
_PER_WEBHOOK = 200


@dataclass(frozen=True)
class Alert:
    """What is told. `says` holds its fields as JSON (docs/alerts.md lists them)."""

    kind: Kind
    dedupe_key: str
    supplier_id: str | None
    country: str | None
    says: Mapping[str, Any]


@dataclass(frozen=True)
class Message:
    """What goes to a channel: the id that stays the same however often it is sent, its alerts, and
    when they were noticed."""

    message_id: UUID
    kind: Literal["alerts", "digest", "test"]
    alerts: Sequence[Alert]
    created_at: datetime


def record(connection: Connection, alerts: Sequence[Alert], channels: Sequence[str]) -> int:
    """Keep the alerts whose key is new, and a message of them to each channel; returns how many.

    The caller holds the transaction. The order is kept in the messages.
    """
    rows = connection.execute(
        """
        insert into risk.alerts (kind, dedupe_key, supplier_id, country, says)
        select kind, dedupe_key, supplier_id, country, says
        from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[])
        with ordinality as alerts (kind, dedupe_key, supplier_id, country, says, place)
        order by place
        on conflict (dedupe_key) do nothing
        returning alert_id
        """,
        [
            [alert.kind for alert in alerts],
            [alert.dedupe_key for alert in alerts],
            [alert.supplier_id for alert in alerts],
            [alert.country for alert in alerts],
            [Jsonb(alert.says) for alert in alerts],
        ],
    ).fetchall()
    ids = [row["alert_id"] for row in rows]
    messages = [
        (channel, ids[start : start + size])
        for channel in channels
        for size in [_PER_WEBHOOK if channel == "webhook" else max(len(ids), 1)]
        for start in range(0, len(ids), size)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into risk.notifications (channel, alert_ids) values (%s, %s)", messages
        )
    return len(ids)


def load_message(connection: Connection, message_id: UUID) -> Message:
    """The message with its alerts, in their order."""
    rows = connection.execute(
        """
        select alerts.*, notifications.created_at as noticed_at
        from risk.notifications
        cross join unnest(alert_ids) with ordinality as named (alert_id, place)
        inner join risk.alerts using (alert_id)
        where notification_id = %s
        order by place
        """,
        [message_id],
    ).fetchall()
    alerts = [
        Alert(row["kind"], row["dedupe_key"], row["supplier_id"], row["country"], row["says"])
        for row in rows
    ]
    kind: Literal["alerts", "digest"] = "digest" if alerts[0].kind == "digest" else "alerts"
    return Message(message_id, kind, alerts, rows[0]["noticed_at"])


def latest(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The newest alerts first, each with `deliveries`: a list of channel, state, attempts,
    last_error_class and sent_at, empty where no channel was set."""
    return connection.execute(
        """
        with newest as (
            select * from risk.alerts
            order by alert_id desc
            limit %s
        )

        select
            newest.*,
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'channel', channel,
                        'state', state,
                        'attempts', attempts,
                        'last_error_class', last_error_class,
                        'sent_at', sent_at
                    ) order by channel
                ) filter (where channel is not null),
                '[]'
            ) as deliveries
        from newest
        left join risk.notifications on notifications.alert_ids @> array[newest.alert_id]
        group by
            newest.alert_id, newest.kind, newest.dedupe_key, newest.supplier_id, newest.country,
            newest.says, newest.created_at
        order by newest.alert_id desc
        """,
        [limit],
    ).fetchall()
