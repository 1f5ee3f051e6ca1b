"""The invariants: queries that must return no row, whatever crashed, was repeated or re-ordered.

Each returns rows with one text column `violation` that names the row at fault. Tests run them
after every disturbance, and the asset check `reconciliation` after every run.
"""

from collections.abc import Mapping
from typing import LiteralString

from orchestration.resources.postgres import Connection

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
    "every answer of an assessment is kept": """
        select format('assessment %s', assessments.assessment_id) as violation
        from risk.assessments
        left join llm.responses using (response_id)
        where responses.outcome is distinct from 'ok'
    """,
    "a verified quote stands in its document, an unverified one does not": """
        select format('finding %s', findings.finding_id) as violation
        from risk.findings
        inner join risk.assessments using (assessment_id)
        inner join risk.mentions using (mention_id)
        inner join ingest.documents using (document_id)
        cross join lateral (
            select
                case
                    when documents.title = '' then documents.body
                    else documents.title || e'\\n\\n' || documents.body
                end as content
        ) as shown
        where
            (
                findings.quote_verified
                and (
                    findings.quote_start < 0 or findings.quote_end > length(shown.content)
                    or findings.quote_end <= findings.quote_start
                )
            )
            or (
                not findings.quote_verified and findings.quote <> ''
                and position(findings.quote in shown.content) > 0
            )
    """,
}


def violations(connection: Connection, sample: int = 5) -> dict[str, list[str]]:
    """Each invariant that does not hold, with at most `sample` rows at fault."""
    found = {}
    for name, query in INVARIANTS.items():
        rows = connection.execute(query).fetchmany(sample)
        if rows:
            found[name] = [row["violation"] for row in rows]
    return found
