-- No `with` here: PostgreSQL plans a view that has one by itself, so a refresh would read it whole.
-- The policy is looked up, not joined, for a like reason: of more than eight tables (six here, two
-- where they are asked for) PostgreSQL joins some by themselves, and would grade all findings.
select
    findings.finding_id,
    findings.assessment_id,
    -- what the policy does not know is null, which int_findings refuses: no finding is lost
    (
        select dimensions.dimension from {{ ref('risk_dimensions') }} as dimensions
        where dimensions.dimension = findings.dimension
    ) as dimension,
    findings.level,
    findings.status,
    findings.event_type,
    -- what happened cannot be newer than the day on which we heard of it
    least(
        coalesce(findings.event_date + documents.moved_days, documents.dated_on),
        documents.received_on
    ) as event_on,
    left(findings.quote, 40) as quote_begin,
    mentions.document_id,
    documents.publisher,
    coalesce(publishers.publisher_class, 'unknown') as publisher_class,
    (
        select levels.score from {{ ref('risk_levels') }} as levels
        where levels.level = findings.level
    ) as score,
    (
        select classes.credibility from {{ ref('publisher_classes') }} as classes
        where classes.publisher_class = coalesce(publishers.publisher_class, 'unknown')
    ) * (
        select statuses.factor from {{ ref('risk_statuses') }} as statuses
        where statuses.status = findings.status
    ) as credibility,
    findings.quote_verified and findings.level > 0 as is_risk
from {{ ref('stg_findings') }} as findings
inner join {{ ref('stg_assessments') }} using (assessment_id)
inner join {{ ref('stg_mentions') }} as mentions using (mention_id)
inner join {{ ref('stg_documents') }} as documents using (document_id)
left join {{ ref('publishers') }} as publishers using (publisher)
