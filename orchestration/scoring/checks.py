"""The invariants: queries that must return no row, whatever crashed, was repeated or re-ordered.

Each returns rows with one text column `violation` that names the row at fault. Quotes are searched
here anew, by the rule of `evidence`, which SQL does not know. Tests run all of them after every
disturbance, and the asset check `reconciliation` after every run.
"""

from collections.abc import Mapping
from typing import LiteralString

from psycopg.rows import DictRow

from orchestration.resources.postgres import Connection
from orchestration.scoring.evidence import comparable, find_quote

INVARIANTS: Mapping[str, LiteralString] = {
    "every message leads to a document or a rejection": """
        select format('message %s of %s', messages.message_id, messages.subscription) as violation
        from ingest.messages
        left join ingest.documents using (document_id)
        left join ingest.rejections using (subscription, message_id)
        where documents.document_id is null and rejections.rejection_id is null
    """,
    "received messages = the sum of their states": """
        select
            format(
                'message %s of batch %s (document %s) has no state',
                message_id, coalesce(batch_id, '-'), document_id
            ) as violation
        from risk.message_states
        where state is null
    """,
    "of each text one current document is the original": """
        select format('text of document %s', min(document_id::text)) as violation
        from ingest.documents
        where superseded_by is null and duplicate_of is null
        group by content_sha256
        having count(*) > 1
    """,
    "each current copy points to a current original": """
        select format('document %s', documents.document_id) as violation
        from ingest.documents
        inner join ingest.documents as originals on documents.duplicate_of = originals.document_id
        where
            documents.superseded_by is null
            and (originals.duplicate_of is not null or originals.superseded_by is not null)
    """,
    "every original document is queued": """
        select format('document %s', documents.document_id) as violation
        from ingest.documents
        left join risk.work_items as items
            on
                items.subject_type = 'document'
                and items.subject_id = documents.document_id
                and items.step = 'mentions'
        where
            documents.superseded_by is null and documents.duplicate_of is null
            and items.item_id is null
    """,
    "every mention is queued, and every finished one has its assessment": """
        select format('mention %s', mentions.mention_id) as violation
        from risk.mentions
        left join risk.work_items as items
            on
                items.subject_type = 'mention'
                and items.subject_id = mentions.mention_id
                and items.step = 'findings'
        left join risk.assessments
            on
                assessments.mention_id = mentions.mention_id
                and assessments.generation_id = items.generation_id
        where
            items.item_id is null
            or (
                items.state = 'done' and items.outcome in ('risk', 'no_risk')
                and assessments.assessment_id is null
            )
    """,
    "an irrelevant document was asked about, and has no mention": """
        select format('document %s', items.subject_id) as violation
        from risk.work_items as items
        left join llm.responses
            on responses.response_id = (items.detail ->> 'response_id')::bigint
        where
            items.step = 'mentions' and items.state = 'done' and items.outcome = 'irrelevant'
            and (
                responses.outcome is distinct from 'ok'
                or exists (
                    select from risk.mentions where mentions.document_id = items.subject_id
                )
            )
    """,
    "every answer on a mention or a candidate is kept": """
        select format('response %s', judged.response_id) as violation
        from (
            select response_id from risk.mentions where response_id is not null
            union
            select response_id from risk.supplier_candidates
        ) as judged
        left join llm.responses using (response_id)
        where responses.outcome is distinct from 'ok'
    """,
    "at most one current assessment per mention": """
        select format('mention %s', mention_id) as violation
        from risk.current_assessments
        group by mention_id
        having count(*) > 1
    """,
    "a claim ends with its lease": """
        select format('work item %s', item_id) as violation
        from risk.work_items
        where state = 'claimed' and (available_at > lease_until or fencing_token is null)
    """,
    "no attempt lacks an outcome long after its deadline": """
        select format('attempt %s', attempt_id) as violation
        from llm.attempts
        where finished_at is null and deadline < clock_timestamp() - interval '1 hour'
    """,
    "a day's budget holds what its attempts reserve and settled": """
        select format('day %s', attempts.period) as violation
        from (
            select
                to_char(started_at at time zone 'UTC', 'YYYY-MM-DD') as period,
                coalesce(sum(reserved_usd) filter (where finished_at is null), 0) as reserved,
                coalesce(sum(settled_usd), 0) as settled
            from llm.attempts
            where started_at >= date_trunc('day', now(), 'UTC') - interval '1 day'
            group by period
        ) as attempts
        left join llm.budget on budget.scope = 'day' and budget.period = attempts.period
        where
            coalesce(budget.reserved_usd, 0) <> reserved
            or coalesce(budget.settled_usd, 0) <> settled
    """,
    "every answer of an assessment is kept": """
        select distinct format('assessment %s', assessments.assessment_id) as violation
        from risk.assessments
        cross join unnest(assessments.response_ids) as answers (answer_id)
        left join llm.responses on responses.response_id = answers.answer_id
        where responses.outcome is distinct from 'ok'
    """,
    "a verified quote lies within its document": """
        select format('finding %s', findings.finding_id) as violation
        from risk.findings
        inner join risk.assessments using (assessment_id)
        inner join risk.mentions using (mention_id)
        inner join ingest.documents using (document_id)
        where
            findings.quote_verified
            and (
                findings.quote_start < 0
                or findings.quote_end <= findings.quote_start
                or findings.quote_end > length(documents.body)
                + case when documents.title = '' then 0 else length(documents.title) + 2 end
            )
    """,
}
QUOTES = "a verified quote stands in its document, an unverified one does not"
_CHECKED_FINDINGS = 2_000
_CHECKED_CHARACTERS = 2_000_000

# The newest findings as they are stored: of a verified one what stands at its offsets, of an
# unverified one the whole document, of these no more than can be searched in a few seconds.
_QUOTES: LiteralString = """
with newest as (
    select findings.*, documents.title, documents.body
    from risk.findings
    inner join risk.assessments using (assessment_id)
    inner join risk.mentions using (mention_id)
    inner join ingest.documents using (document_id)
    order by findings.finding_id desc
    limit %s
),

shown as (
    select
        finding_id, quote, quote_start, quote_end, quote_verified,
        case when title = '' then body else title || e'\\n\\n' || body end as content
    from newest
),

measured as (
    select
        *,
        sum(case when quote_verified then 0 else length(content) end)
            over (order by finding_id desc) as to_search
    from shown
)

select
    finding_id, quote, quote_verified,
    coalesce(
        quote_start >= 0 and quote_start < quote_end and quote_end <= length(content), false
    ) as is_within,
    case
        when not quote_verified then content
        when quote_start >= 0 and quote_start < quote_end
            then substr(content, quote_start + 1, quote_end - quote_start)
        else ''
    end as passage
from measured
where quote_verified or to_search <= %s
order by finding_id
"""


def violations(connection: Connection, sample: int = 5) -> dict[str, list[str]]:
    """Each invariant that does not hold, with at most `sample` rows at fault."""
    found = {}
    for name, query in INVARIANTS.items():
        rows = connection.execute(query).fetchmany(sample)
        if rows:
            found[name] = [row["violation"] for row in rows]
    if wrong := _wrong_quotes(connection):
        found[QUOTES] = [f"finding {finding_id}" for finding_id in wrong[:sample]]
    return found


def _wrong_quotes(connection: Connection) -> list[int]:
    """Of the newest findings, those whose quotes a fresh search does not confirm."""
    rows = connection.execute(_QUOTES, [_CHECKED_FINDINGS, _CHECKED_CHARACTERS])
    return [row["finding_id"] for row in rows if not _is_right(row)]


def _is_right(row: DictRow) -> bool:
    if not row["quote_verified"]:
        return find_quote(row["quote"], row["passage"]) is None
    return row["is_within"] and comparable(row["passage"]) == comparable(row["quote"])
