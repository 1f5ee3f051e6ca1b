"""What is new in the marts and must be told: pairs in a higher band, and severe events.

A look compares a complete build of the marts with what was there at the last look, in a handful of
queries over all pairs, and remembers it in the same transaction. The very first one only remembers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

import psycopg

from orchestration.errors import AlertError, SettingsError
from orchestration.publishing.alerts import Alert, Kind, record
from orchestration.publishing.alerts_sql import EVENTS, REMEMBER_BANDS, REMEMBER_EVENTS, RISES
from orchestration.publishing.links import explain_command, supplier_link
from orchestration.publishing.notification_texts import one_line, web_link
from orchestration.resources.postgres import Connection, one
from orchestration.settings import AlertSettings, SupersetSettings

NOT_BUILT = "the marts are not built yet, or were built before alerts came: see job refresh_marts"
FIRST_LOOK = "the first look: what is there now is known, and only what comes is told"
LONGEST_EVENT_DAYS = 30  # event_span_days of the scoring policy
_LONGEST_QUOTE = 500
_LONGEST_TITLE = 200


@dataclass(frozen=True)
class Look:
    """What came of one: how many alerts were recorded, or why none was looked for."""

    alerts: int = 0
    reason: str = ""


@dataclass(frozen=True)
class _Build:
    build: str
    as_of_date: date
    policy_version: str
    is_complete: bool


def look(connection: Connection, alerts: AlertSettings, superset: SupersetSettings) -> Look:
    """Record what is new since the last look. Raises SettingsError if ALERTS_LOWEST_BAND is none,
    AlertError if a query takes too long.

    Costs one small query while the marts are those of the last look. Of two at once one looks.
    """
    try:
        newest = _build(connection)
        if newest is None or not newest.is_complete:
            return Look(reason="the marts are being refreshed, or their last refresh failed")
        seen = _last_look(connection)
        if seen and newest.build == seen["build"]:
            return Look(reason="the marts are those of the last look")
        return _look_alone(connection, alerts, superset)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return Look(reason=NOT_BUILT)
    except psycopg.errors.LockNotAvailable:
        return Look(reason="the marts are being refreshed")
    except psycopg.errors.QueryCanceled:
        raise AlertError(
            "A query of the look for alerts took more than 15 s and was ended. "
            "Nothing is lost: the next tick looks again. What to do if this comes again: `analyze` "
            "the schemas marts and risk, and see what else keeps PostgreSQL busy."
        ) from None


def _look_alone(
    connection: Connection, settings: AlertSettings, superset: SupersetSettings
) -> Look:
    got = one(connection, "select pg_try_advisory_lock(hashtext('risk.alerts')) as lock")["lock"]
    if not got:
        return Look(reason="another tick is looking")
    try:
        with connection.transaction():
            return _look(connection, settings, superset)
    finally:
        connection.execute("select pg_advisory_unlock(hashtext('risk.alerts'))")


# Of the transactions that built them: int_refresh is the first table of a build, last_refresh the
# last one. That they wrote a row of it is all that tells two builds apart for certain.
_BUILD: LiteralString = """
select
    last_refresh.xmin::text as build,
    last_refresh.as_of_date,
    last_refresh.policy_version,
    age(last_refresh.xmin) < age(int_refresh.xmin) as is_complete
from intermediate.last_refresh
cross join intermediate.int_refresh
"""


def _build(connection: Connection) -> _Build | None:
    row = connection.execute(_BUILD).fetchone()
    return None if row is None else _Build(**row)


def _last_look(connection: Connection) -> dict[str, Any] | None:
    """`build` and `as_of_date` of the marts that were seen last."""
    return connection.execute("select build, as_of_date from risk.seen_refresh").fetchone()


def _look(connection: Connection, settings: AlertSettings, superset: SupersetSettings) -> Look:
    """One state of all marts: a table that dbt swaps meanwhile would be seen empty, hence the locks
    before the first query."""
    connection.execute("set transaction isolation level repeatable read")
    connection.execute("set local lock_timeout = '1s'")
    connection.execute("set local statement_timeout = '15s'")
    connection.execute(
        "lock table intermediate.last_refresh, intermediate.int_refresh, policy.risk_bands,"
        " marts.supplier_risk_current, marts.risk_changes, marts.risk_events,"
        " marts.country_names in access share mode"
    )
    newest = _build(connection)
    seen = _last_look(connection)
    if newest is None or not newest.is_complete or (seen and newest.build == seen["build"]):
        return Look(reason="the marts changed at this moment")
    if seen and newest.as_of_date < seen["as_of_date"]:
        return Look(reason="the marts are those of an earlier day than at the last look")
    _require_a_band(connection, settings.lowest_band)
    found: Sequence[Alert] = ()
    if seen:
        found = [
            *_rises(connection, settings, superset, newest),
            *_events(connection, settings, superset),
        ]
    count = record(connection, found, settings.channels) if found else 0
    _remember(connection, newest)
    return Look(count, reason="" if seen else FIRST_LOOK)


def _require_a_band(connection: Connection, wanted: str) -> None:
    rows = connection.execute("select band from policy.risk_bands order by lowest_score")
    known = [row["band"] for row in rows]
    if wanted not in known:
        raise SettingsError(
            f"ALERTS_LOWEST_BAND is wrong: there is no band {wanted!r}; there are "
            f"{', '.join(known)}"
        )


def _rises(
    connection: Connection, settings: AlertSettings, superset: SupersetSettings, build: _Build
) -> list[Alert]:
    rows = connection.execute(RISES, {"lowest_band": settings.lowest_band}).fetchall()
    return [
        _alert(
            "band",
            f"{row['supplier_id']}@{row['country']}:{row['band']}:{build.as_of_date}:"
            f"{row['cause']}",
            row,
            superset,
        )
        for row in rows
    ]


def _events(
    connection: Connection, settings: AlertSettings, superset: SupersetSettings
) -> list[Alert]:
    limits = {
        "lowest_level": settings.lowest_event_level,
        "longest_event": LONGEST_EVENT_DAYS,
    }
    rows = connection.execute(EVENTS, limits).fetchall()
    return [_alert("event", row["event_id"], row, superset) for row in rows]


def _alert(kind: Kind, key: str, row: dict[str, Any], superset: SupersetSettings) -> Alert:
    """Texts of strangers are made harmless and bounded here, once for all channels."""
    supplier_id, country = row.pop("supplier_id"), row.pop("country")
    says = {
        name: one_line(value, _LONGEST_TITLE) if isinstance(value, str) else _as_json(value)
        for name, value in row.items()
        if not name.startswith("evidence_")
    }
    quote, title = row["evidence_quote"], row["evidence_title"]
    says["evidence"] = {
        "quote": quote and one_line(quote, _LONGEST_QUOTE),
        "title": title and one_line(title, _LONGEST_TITLE),
        "url": web_link(row["evidence_url"]),
    }
    says["link"] = supplier_link(superset, row["supplier_name"], row["country_name"])
    says["command"] = explain_command(supplier_id, country)
    return Alert(kind, f"{kind}:{key}", supplier_id, country, says)


def _as_json(value: Any) -> Any:
    """Numbers stay numbers, days become YYYY-MM-DD."""
    if value is None or isinstance(value, int | float | dict):
        return value
    return value.isoformat() if isinstance(value, date) else float(value)


def _remember(connection: Connection, build: _Build) -> None:
    for statement in REMEMBER_BANDS:
        connection.execute(statement)
    for statement in REMEMBER_EVENTS:
        connection.execute(statement, {"longest_event": LONGEST_EVENT_DAYS})
    connection.execute(
        "insert into risk.seen_refresh (build, policy_version, as_of_date) values (%s, %s, %s)"
        " on conflict (is_only) do update set build = excluded.build,"
        " policy_version = excluded.policy_version, as_of_date = excluded.as_of_date,"
        " seen_at = now()",
        [build.build, build.policy_version, build.as_of_date],
    )
