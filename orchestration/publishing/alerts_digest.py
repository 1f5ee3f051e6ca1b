"""The daily digest: how suppliers stand, what moved, and what could not be scored."""

from datetime import date
from typing import Any, LiteralString

import psycopg

from orchestration.errors import UsageError
from orchestration.publishing.alerts import Alert, record
from orchestration.publishing.alerts_noticing import NOT_BUILT
from orchestration.publishing.notification_texts import one_line, web_link
from orchestration.resources.postgres import Connection, one
from orchestration.settings import AlertSettings, SupersetSettings

_SHOWN = 5
_LONGEST_QUOTE = 200


def key_of(day: date) -> str:
    """What makes it the only digest of a day."""
    return f"digest:{day.isoformat()}"


def is_recorded(connection: Connection, day: date) -> bool:
    """Whether the digest of the day was made."""
    return bool(
        one(
            connection,
            "select exists (select from risk.alerts where dedupe_key = %s) as found",
            [key_of(day)],
        )["found"]
    )


def record_digest(
    connection: Connection, settings: AlertSettings, superset: SupersetSettings, day: date
) -> bool:
    """Make the digest of the day, and a message of it to each channel; False if it was made before.

    Raises UsageError while the marts are not built.
    """
    try:
        with connection.transaction():
            says = _contents(connection, superset, day)
            digest = Alert("digest", key_of(day), None, None, says)
            return record(connection, [digest], settings.channels) == 1
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        raise UsageError(f"No digest: {NOT_BUILT}.") from None


def _contents(connection: Connection, superset: SupersetSettings, day: date) -> dict[str, Any]:
    return {
        "date": day.isoformat(),
        "suppliers_by_band": connection.execute(_SUPPLIERS_BY_BAND).fetchall(),
        "newly_critical": _rows(connection, _NEWLY_CRITICAL),
        "movers": _rows(connection, _MOVERS),
        "events": _rows(connection, _EVENTS),
        **one(connection, _MARTS),
        **one(connection, _UNSCORED),
        "undelivered": one(
            connection,
            "select count(*) as dead from risk.notifications where state = 'dead'",
        )["dead"],
        "link": superset.url and f"{superset.url}/superset/dashboard/overview/",
    }


def _rows(connection: Connection, query: LiteralString) -> list[dict[str, Any]]:
    rows = connection.execute(query, {"shown": _SHOWN}).fetchall()
    return [{name: _value(name, value) for name, value in row.items()} for row in rows]


def _value(name: str, value: Any) -> Any:
    """Numbers as JSON has them; texts of strangers harmless."""
    if name == "url":
        return web_link(value)
    if isinstance(value, str):
        return one_line(value, _LONGEST_QUOTE)
    return value if value is None or isinstance(value, int) else float(value)


# A supplier is in the band of its worst country.
_SUPPLIERS_BY_BAND: LiteralString = """
with worst as (
    select supplier_id, coalesce(max(severity_rank), 0) as severity_rank
    from marts.supplier_risk_current
    left join policy.risk_bands using (band)
    where dimension = 'overall'
    group by supplier_id
)

select coalesce(bands.band, 'no signal') as band, count(*) as suppliers
from worst
left join policy.risk_bands as bands using (severity_rank)
group by bands.band, severity_rank
order by severity_rank desc
"""

_NEWLY_CRITICAL: LiteralString = """
with highest as (select band from policy.risk_bands order by lowest_score desc limit 1)

select now.supplier_name, now.country, now.score, count(*) over () as found
from marts.supplier_risk_current as now
inner join highest using (band)
left join marts.supplier_risk_daily as yesterday
    on
        now.supplier_id = yesterday.supplier_id and now.country = yesterday.country
        and now.dimension = yesterday.dimension and yesterday.day = now.as_of_date - 1
where now.dimension = 'overall' and yesterday.band is distinct from now.band
order by now.score desc, now.supplier_id, now.country
limit %(shown)s * 4
"""

_MOVERS: LiteralString = """
select supplier_name, country, score_now as score, change, main_cause as cause
from marts.risk_changes
where dimension = 'overall' and change <> 0
order by abs(change) desc, supplier_id, country
limit %(shown)s
"""

_EVENTS: LiteralString = """
select
    says ->> 'supplier_name' as supplier_name,
    country,
    says ->> 'event_type' as event_type,
    says -> 'evidence' ->> 'quote' as quote,
    says -> 'evidence' ->> 'url' as url,
    count(*) over () as found
from risk.alerts
where kind = 'event' and created_at > now() - interval '24 hours'
order by alert_id desc
limit %(shown)s * 2
"""

_MARTS: LiteralString = """
select
    string_agg(distinct model, ', ' order by model) as models,
    max(as_of_date)::text as as_of_date
from marts.supplier_risk_current
left join lateral string_to_table(models, ', ') as model on true
where dimension = 'overall'
"""

_UNSCORED: LiteralString = """
select
    coalesce(sum(pending), 0)::integer as pending,
    coalesce(sum(dead), 0)::integer as dead
from marts.pipeline_reconciliation
"""
