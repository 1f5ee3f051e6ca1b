-- No `with` here: PostgreSQL plans a view that has one by itself, so a refresh would read it whole.
select
    findings.finding_id,
    findings.assessment_id,
    dimensions.dimension,
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
    classes.publisher_class,
    levels.score,
    classes.credibility * statuses.factor as credibility,
    findings.quote_verified and findings.level > 0 as is_risk
from {{ ref('stg_findings') }} as findings
inner join {{ ref('stg_assessments') }} using (assessment_id)
inner join {{ ref('stg_mentions') }} as mentions using (mention_id)
inner join {{ ref('stg_documents') }} as documents using (document_id)
-- what the policy does not know leaves a null, which int_findings refuses: no finding is lost
left join {{ ref('risk_dimensions') }} as dimensions using (dimension)
left join {{ ref('risk_levels') }} as levels using (level)
left join {{ ref('risk_statuses') }} as statuses using (status)
left join {{ ref('publishers') }} as publishers using (publisher)
left join {{ ref('publisher_classes') }} as classes
    on coalesce(publishers.publisher_class, 'unknown') = classes.publisher_class
