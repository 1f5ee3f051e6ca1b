"""Two generations beside each other, over the documents that both have read: what was found by one
only, how often they agree, and what each cost. The scores stand in the mart generation_comparison.
"""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from orchestration.errors import UsageError
from orchestration.history.promotion import generations
from orchestration.history.selection import Selection, check
from orchestration.resources.postgres import Connection, one


@dataclass(frozen=True)
class Comparison:
    """Of the `documents` that both assessed, of which `judged` hold a finding of level 1 or more in
    either, the highest level is the same in `agreed`. A finding is gained that only the newer
    generation has: another document, dimension or kind of event. Costs in US dollars of all that
    each generation asked; None where a price is unknown."""

    base_generation_id: int
    generation_id: int
    documents: int
    judged: int
    agreed: int
    base_findings: int
    findings: int
    gained: int
    lost: int
    base_cost_usd: Decimal | None
    cost_usd: Decimal | None

    @property
    def agreement(self) -> float | None:
        """Share of the judged documents on whose highest level both agree."""
        return self.agreed / self.judged if self.judged else None

    def metadata(self) -> dict[str, Any]:
        """As Dagster shows it."""
        numbers = {name: value for name, value in asdict(self).items() if "cost" not in name}
        costs = {"base_cost_usd": self.base_cost_usd, "cost_usd": self.cost_usd}
        shown = {name: "unknown" if c is None else float(c) for name, c in costs.items()}
        agreement = "nothing was found" if self.agreement is None else round(self.agreement, 3)
        return {**numbers, **shown, "agreement": agreement}


def compare(connection: Connection, base_generation_id: int, generation_id: int) -> Comparison:
    """Raises UsageError where there is no such generation, or they have no document in common."""
    ids = {"base": base_generation_id, "generation": generation_id}
    check(connection, Selection(generations=tuple(ids.values())))
    row = one(connection, _COMPARED, ids)
    if not row["documents"]:
        raise UsageError(
            f"Generations {base_generation_id} and {generation_id} have assessed no document in"
            " common: there is nothing to compare."
        )
    costs = {found["generation_id"]: found["cost_usd"] for found in generations(connection)}
    return Comparison(
        base_generation_id,
        generation_id,
        **row,
        base_cost_usd=costs[base_generation_id],
        cost_usd=costs[generation_id],
    )


def natural_base(connection: Connection, generation_id: int) -> int | None:
    """The older generation that has read most of the same documents, of equals the newest."""
    row = connection.execute(
        """
        select others.generation_id
        from risk.assessments as mine
        inner join risk.assessments as others using (mention_id)
        where mine.generation_id = %(generation)s and others.generation_id < %(generation)s
        group by others.generation_id
        order by count(*) desc, others.generation_id desc
        limit 1
        """,
        {"generation": generation_id},
    ).fetchone()
    return row["generation_id"] if row else None


def scores(
    connection: Connection, base_generation_id: int, generation_id: int, limit: int
) -> list[dict[str, Any]]:
    """The largest differences of the overall and dimension scores, from the mart, where
    either has one; none before it is built."""
    built = one(connection, "select to_regclass('marts.generation_comparison') is not null as yes")
    if not built["yes"]:
        return []
    return connection.execute(
        """
        select *
        from marts.generation_comparison
        where
            base_generation_id = %s and generation_id = %s
            and (score is not null or base_score is not null)
        order by abs(score_difference) desc, supplier_id, country, dimension
        limit %s
        """,
        [base_generation_id, generation_id, limit],
    ).fetchall()


_COMPARED = """
    with common as (
        select mention_id, base.assessment_id as base_id, newer.assessment_id as newer_id
        from risk.assessments as base
        inner join risk.assessments as newer using (mention_id)
        where base.generation_id = %(base)s and newer.generation_id = %(generation)s
    ),

    found as (
        select common.mention_id, findings.dimension, findings.event_type, findings.level, side.name
        from common
        cross join lateral (values ('base', base_id), ('newer', newer_id)) as side (name, id)
        inner join risk.findings on findings.assessment_id = side.id
        where findings.level > 0 and findings.quote_verified
    ),

    kinds as (
        select
            count(*) filter (where in_base) as base_findings,
            count(*) filter (where in_newer) as findings,
            count(*) filter (where in_newer and not in_base) as gained,
            count(*) filter (where in_base and not in_newer) as lost
        from (
            select bool_or(name = 'base') as in_base, bool_or(name = 'newer') as in_newer
            from found
            group by mention_id, dimension, event_type
        ) as events
    ),

    judged as (
        select count(*) as judged, count(*) filter (where base_level = newer_level) as agreed
        from (
            select
                coalesce(max(level) filter (where name = 'base'), 0) as base_level,
                coalesce(max(level) filter (where name = 'newer'), 0) as newer_level
            from found
            group by mention_id
        ) as levels
    )

    select
        (select count(*) from common) as documents, judged.judged, judged.agreed,
        kinds.base_findings, kinds.findings, kinds.gained, kinds.lost
    from kinds cross join judged
"""
