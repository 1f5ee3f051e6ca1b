with findings as (
    select * from {{ ref('stg_findings') }}
),

assessments as (
    select * from {{ ref('stg_assessments') }}
),

mentions as (
    select * from {{ ref('stg_mentions') }}
),

documents as (
    select * from {{ ref('stg_documents') }}
),

levels as (
    select * from {{ ref('risk_levels') }}
),

statuses as (
    select * from {{ ref('risk_statuses') }}
),

publishers as (
    select * from {{ ref('publishers') }}
),

classes as (
    select * from {{ ref('publisher_classes') }}
),

final as (
    select
        findings.finding_id,
        mentions.supplier_id,
        mentions.country,
        mentions.country_source,
        findings.dimension,
        findings.level,
        findings.status,
        findings.event_type,
        -- what happened cannot be newer than the day on which we heard of it
        least(
            coalesce(findings.event_date + documents.moved_days, documents.dated_on),
            documents.received_on
        ) as event_on,
        findings.keywords,
        findings.quote,
        findings.quote_start,
        findings.quote_end,
        findings.quote_verified,
        findings.rationale,
        documents.document_id,
        documents.publisher,
        coalesce(publishers.publisher_class, 'unknown') as publisher_class,
        assessments.assessment_id,
        assessments.response_id,
        assessments.model,
        assessments.prompt_version,
        levels.score,
        classes.credibility * statuses.factor as credibility,
        findings.quote_verified and findings.level > 0 as is_risk
    from findings
    inner join assessments using (assessment_id)
    inner join mentions using (mention_id)
    inner join documents using (document_id)
    inner join levels using (level)
    inner join statuses using (status)
    left join publishers using (publisher)
    inner join classes
        on coalesce(publishers.publisher_class, 'unknown') = classes.publisher_class
)

select * from final
