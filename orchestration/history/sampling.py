"""Which findings a person should look at next: those in doubt, others by lot, and empty answers.

Reads only; what the person says is written in `review`.
"""

from dataclasses import dataclass
from typing import LiteralString

from psycopg.rows import DictRow

from orchestration.errors import UsageError
from orchestration.history import selection
from orchestration.history.selection import LOW_RELEVANCE, Selection
from orchestration.resources.postgres import Connection
from orchestration.scoring.evidence import document_text, find_quote

REASONS = ("unverified", "low_confidence", "disagreement", "random", "no_risk")
"""Why something is shown, in the order in which they take turns; of a finding, the first that
applies. `no_risk` are assessments that found nothing."""
_CONTEXT = 200

_CURRENT: LiteralString = (
    "select assessments.* from risk.current_assessments as assessments"
    " inner join risk.current_mentions using (mention_id)"
)
_OF_A_GENERATION: LiteralString = (
    "select * from risk.assessments where generation_id = %(generation)s"
)
_DISAGREEMENT: LiteralString = """exists (
    select from risk.assessments as others
    where
        others.mention_id = assessments.mention_id
        and others.assessment_id <> assessments.assessment_id
        and coalesce((
            select max(theirs.level) from risk.findings as theirs
            where
                theirs.assessment_id = others.assessment_id
                and theirs.dimension = findings.dimension
        ), 0) <> (
            select max(ours.level) from risk.findings as ours
            where
                ours.assessment_id = assessments.assessment_id
                and ours.dimension = findings.dimension
        )
)"""
_CANDIDATES: LiteralString = (
    """
    select
        case
            when 'unverified' = any(%(wanted)s) and not findings.quote_verified then 'unverified'
            when
                'low_confidence' = any(%(wanted)s) and assessments.relevance < %(low_relevance)s
                then 'low_confidence'
            when
                'disagreement' = any(%(wanted)s) and """
    + _DISAGREEMENT
    + """
                then 'disagreement'
            when 'random' = any(%(wanted)s) then 'random'
        end as reason,
        findings.finding_id, assessments.assessment_id,
        md5(%(seed)s::text || ' finding ' || findings.finding_id) as lot
    from assessed as assessments
    inner join risk.findings using (assessment_id)
    where
        findings.level > 0
        and not exists (
            select from risk.labels where labels.finding_id = findings.finding_id
        )
    union all
    select
        'no_risk' as reason, null::bigint as finding_id, assessments.assessment_id,
        md5(%(seed)s::text || ' assessment ' || assessments.assessment_id) as lot
    from assessed as assessments
    where
        assessments.outcome = 'no_risk' and 'no_risk' = any(%(wanted)s)
        and not exists (
            select from risk.labels where labels.assessment_id = assessments.assessment_id
        )
"""
)
_CHOSEN: LiteralString = """
    select * from (
        select
            *,
            row_number() over (partition by reason order by lot) as turn,
            array_position(%(wanted)s::text[], reason) as place
        from candidates
        where reason is not null
    ) as turns
    order by turn, place
    limit %(count)s
"""
_SHOWN: LiteralString = """
    select
        chosen.reason, chosen.finding_id,
        case when chosen.finding_id is null then chosen.assessment_id end as assessment_id,
        mentions.supplier_id, coalesce(suppliers.name, mentions.supplier_id) as supplier_name,
        mentions.country, mentions.matched_text, documents.title, documents.publisher,
        documents.url, documents.body, findings.quote, findings.quote_start, findings.quote_end,
        findings.level, findings.dimension, findings.status, findings.event_type,
        findings.rationale, generations.model,
        coalesce(generations.prompt_versions ->> 'risk_findings', '-') as prompt_version
    from chosen
    inner join risk.assessments
        on chosen.assessment_id = assessments.assessment_id
    inner join risk.generations using (generation_id)
    inner join risk.mentions using (mention_id)
    inner join ingest.documents using (document_id)
    left join ingest.suppliers
        on mentions.supplier_id = suppliers.supplier_id and suppliers.replaced_at is null
    left join risk.findings on chosen.finding_id = findings.finding_id
    order by chosen.turn, chosen.place
"""


@dataclass(frozen=True)
class Sample:
    """A finding, or an assessment that found nothing, and all that a person needs to judge it.
    Exactly one of the ids is given. Its texts are those of strangers."""

    reason: str
    finding_id: int | None
    assessment_id: int | None
    supplier_id: str
    supplier_name: str
    country: str
    title: str
    publisher: str
    url: str | None
    passage: str
    quote: str | None
    level: int | None
    dimension: str | None
    status: str | None
    event_type: str | None
    rationale: str | None
    model: str
    prompt_version: str


def sample(
    connection: Connection,
    count: int,
    generation: int | None = None,
    reason: str | None = None,
    seed: int = 0,
) -> list[Sample]:
    """The next ones that nobody has labelled, the reasons in turn: of what is current, or of one
    generation. The same seed draws the same ones. With `random` alone any finding may be drawn."""
    if reason is not None and reason not in REASONS:
        raise UsageError(f"There is no reason {reason!r}; there are {', '.join(REASONS)}.")
    if generation is not None:
        selection.check(connection, Selection(generations=(generation,)))
    assessed = _CURRENT if generation is None else _OF_A_GENERATION
    rows = connection.execute(
        f"with assessed as ({assessed}), candidates as ({_CANDIDATES}), chosen as ({_CHOSEN})"
        + _SHOWN,
        {
            "count": count,
            "generation": generation,
            "low_relevance": LOW_RELEVANCE,
            "seed": str(seed),
            "wanted": list(REASONS) if reason is None else [reason],
        },
    )
    return [_sample(row) for row in rows]


def _sample(row: DictRow) -> Sample:
    text = document_text(row["title"], row.pop("body"))
    place = (row.pop("quote_start"), row.pop("quote_end"))
    name = row.pop("matched_text")
    if place[0] is None:  # no quote that stands there: where the supplier is named, or the top
        place = find_quote(name, text) or (0, 0)
    return Sample(passage=_passage(text, *place), **row)


def _passage(text: str, start: int, end: int) -> str:
    """That place with what stands around it; what is left out is marked."""
    first, last = max(0, start - _CONTEXT), min(len(text), end + _CONTEXT)
    return ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")
