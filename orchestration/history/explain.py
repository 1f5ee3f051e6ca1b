"""Why a supplier has its score: from the marts down to the quotes, the calls and what they cost.

A handful of queries by index, however long the past is; long lists are cut, and say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from orchestration.errors import UsageError
from orchestration.resources.postgres import Connection, one

Row = Mapping[str, Any]
COUNTRIES, EVENTS, EVIDENCE = 5, 5, 3


@dataclass(frozen=True)
class Limits:
    """How many countries, events of each, and evidence of each event; the gravest first."""

    countries: int = COUNTRIES
    events: int = EVENTS
    evidence: int = EVIDENCE


@dataclass(frozen=True)
class Event:
    """A row of risk_events and its best rows of risk_evidence, each with what asked for it:
    `run_id`, `generation_id`, `response_ids`, `cost_usd`, `calls`, `purged_at`..."""

    row: Row
    evidence: Sequence[Row]
    more_evidence: int


@dataclass(frozen=True)
class Pair:
    """One country: rows of supplier_risk_current (`overall` and the dimensions with a score)."""

    overall: Row
    dimensions: Sequence[Row]
    events: Sequence[Event]
    more_events: int
    uncounted: int
    brief: Row | None

    def of(self, dimension: str) -> Sequence[Event]:
        """The events that are shown of a dimension."""
        return [event for event in self.events if event.row["dimension"] == dimension]


@dataclass(frozen=True)
class Explanation:
    """The countries of a supplier, the worst first; those that were cut by their codes."""

    supplier_id: str
    supplier_name: str
    pairs: Sequence[Pair]
    more_countries: Sequence[str]


def explain(
    connection: Connection, supplier: str, country: str | None, limits: Limits | None = None
) -> Explanation:
    """The way from score to call. Raises UsageError where there is none to show."""
    limits = limits or Limits()
    try:
        scores = connection.execute(_SCORES, {"supplier": supplier}).fetchall()
    except psycopg.errors.UndefinedTable:
        raise UsageError(
            "The marts are not built yet: start the job refresh_marts in Dagster, then ask again."
        ) from None
    if not scores:
        raise UsageError(_why_unknown(connection, supplier))
    countries = list(dict.fromkeys(row["country"] for row in scores))
    if country is not None and country not in countries:
        raise UsageError(
            f"{supplier} has no news of a country {country!r}; there is {', '.join(countries)}."
        )
    shown = [country] if country else countries[: limits.countries]
    pairs = _pairs(connection, supplier, [row for row in scores if row["country"] in shown], limits)
    if not any(pair.events for pair in pairs):
        uncounted = sum(pair.uncounted for pair in pairs)
        what_is_left = (
            f"{uncounted:,} findings stand in marts.risk_evidence and do not count (level 0, not "
            "verified, or too long ago)."
            if uncounted
            else "No finding of it is current: none was found, or all were taken back."
        )
        raise UsageError(
            f"There is nothing to explain: {supplier} has no score in {', '.join(shown)}. "
            + what_is_left
        )
    more = () if country else countries[limits.countries :]
    return Explanation(supplier, scores[0]["supplier_name"], pairs, more)


_SCORES: LiteralString = """
select
    *,
    first_value(score) over (
        partition by country order by dimension = 'overall' desc
    ) as of_country
from marts.supplier_risk_current
where supplier_id = %(supplier)s
order by of_country desc nulls last, country, score desc nulls last, dimension
"""

_EVENTS: LiteralString = """
select * from (
    select
        *, count(*) over (partition by country) as in_all,
        row_number() over (
            partition by country order by contribution desc, last_seen_on desc, event_id
        ) as place
    from marts.risk_events
    where supplier_id = %(supplier)s and country = any(%(countries)s)
) as events
where place <= %(most)s
order by country, place
"""

_EVIDENCE: LiteralString = """
select * from (
    select
        *, count(*) over (partition by event_id) as in_all,
        row_number() over (
            partition by event_id
            order by
                finding_id = any(%(best)s) desc, level desc, published_at desc nulls last,
                finding_id
        ) as place
    from marts.risk_evidence
    where
        supplier_id = %(supplier)s and country = any(%(countries)s)
        and event_id = any(%(events)s)
) as evidence
where place <= %(most)s
order by event_id, place
"""

_UNCOUNTED: LiteralString = """
select country, count(*) as uncounted from marts.risk_evidence
where supplier_id = %(supplier)s and country = any(%(countries)s) and event_id is null
group by country
"""

_BRIEFS: LiteralString = """
select * from marts.supplier_briefs
where supplier_id = %(supplier)s and country = any(%(countries)s)
"""

# A long document was asked about in parts: what all of them cost is the cost of the finding.
_CALLS: LiteralString = """
select
    findings.finding_id, assessments.run_id, assessments.generation_id, assessments.response_ids,
    paid.*
from risk.findings
inner join risk.assessments using (assessment_id)
cross join lateral (
    select
        count(*) as calls,
        case
            when bool_and(attempts.cost_usd is not null or attempts.outcome <> 'ok')
                then coalesce(sum(attempts.cost_usd), 0)
        end as cost_usd,
        array_agg(distinct attempts.run_id) as paid_by,
        max(responses.purged_at) as purged_at,
        bool_or(requests.messages is null) as is_prompt_purged
    from llm.responses
    inner join llm.requests using (cache_key)
    inner join llm.attempts on attempts.question_key = responses.cache_key
    where responses.response_id = any(assessments.response_ids)
) as paid
where findings.finding_id = any(%(findings)s)
"""


def _pairs(
    connection: Connection, supplier: str, scores: Sequence[Row], limits: Limits
) -> Sequence[Pair]:
    overall = [row for row in scores if row["dimension"] == "overall"]
    wanted = {"supplier": supplier, "countries": [row["country"] for row in overall]}
    events = _events(connection, wanted, limits)
    uncounted = {row["country"]: row["uncounted"] for row in connection.execute(_UNCOUNTED, wanted)}
    briefs = {row["country"]: row for row in connection.execute(_BRIEFS, wanted)}
    pairs = []
    for row in overall:
        country = row["country"]
        mine = [event for event in events if event.row["country"] == country]
        pair = Pair(
            overall=row,
            dimensions=[
                one
                for one in scores
                if one["country"] == country and one["dimension"] != "overall" and one["events"]
            ],
            events=mine,
            more_events=mine[0].row["in_all"] - len(mine) if mine else 0,
            uncounted=uncounted.get(country, 0),
            brief=briefs.get(country),
        )
        pairs.append(pair)
    return pairs


def _events(connection: Connection, wanted: Mapping[str, Any], limits: Limits) -> Sequence[Event]:
    rows = connection.execute(_EVENTS, {**wanted, "most": limits.events}).fetchall()
    given = {
        **wanted,
        "events": [row["event_id"] for row in rows],
        "best": [row["evidence_finding_id"] for row in rows],
        "most": limits.evidence,
    }
    evidence = connection.execute(_EVIDENCE, given).fetchall()
    ids = [row["finding_id"] for row in evidence]
    calls = {row["finding_id"]: row for row in connection.execute(_CALLS, {"findings": ids})}
    proofs: dict[str, list[Row]] = {}
    for row in evidence:
        proofs.setdefault(row["event_id"], []).append(row | calls[row["finding_id"]])
    return [_event(row, proofs.get(row["event_id"], [])) for row in rows]


def _event(row: Row, evidence: Sequence[Row]) -> Event:
    return Event(row, evidence, evidence[0]["in_all"] - len(evidence) if evidence else 0)


def texts(connection: Connection, explanation: Explanation) -> Mapping[Any, Row]:
    """Title and body of each document that is shown, by its id."""
    ids = {
        proof["document_id"]
        for pair in explanation.pairs
        for event in pair.events
        for proof in event.evidence
    }
    rows = connection.execute(
        "select document_id, title, body from ingest.documents where document_id = any(%s)",
        [list(ids)],
    )
    return {row["document_id"]: row for row in rows}


def _why_unknown(connection: Connection, supplier: str) -> str:
    known = one(
        connection,
        "select exists (select from ingest.suppliers where supplier_id = %(supplier)s) as is_one,"
        " exists (select from risk.pairs where supplier_id = %(supplier)s) as is_mentioned",
        {"supplier": supplier},
    )
    if known["is_mentioned"]:
        return f"The marts do not hold {supplier} yet: start the job refresh_marts, then ask again."
    if known["is_one"]:
        return f"There is nothing to explain: no document mentions {supplier}."
    return f"There is no supplier {supplier!r}; ids stand in the supplier master, such as siemens."
