"""Looks after a refresh, and what they told."""

from typing import Any

from orchestration.publishing.alerts import latest
from orchestration.publishing.alerts_noticing import Look, look
from orchestration.resources.postgres import Connection
from orchestration.settings import AlertSettings, SupersetSettings
from tests.publishing.marts import Marts


def seen(connection: Connection, marts: Marts, **settings: Any) -> Look:
    """A look after a refresh."""
    marts.refreshed()
    return look(connection, AlertSettings(**settings), SupersetSettings())


def told(connection: Connection) -> list[str]:
    """All that was told, the oldest first."""
    return [
        row["dedupe_key"].rpartition(":2026")[0] or row["dedupe_key"] for row in says(connection)
    ]


def says(connection: Connection) -> list[dict[str, Any]]:
    return latest(connection, 1000)[::-1]
