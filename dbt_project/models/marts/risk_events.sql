with events as (
    select * from {{ ref('int_events') }}
    where score_day = {{ as_of_date() }}
),

findings as (
    select * from {{ ref('int_current_findings') }}
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

documents as (
    select * from {{ ref('stg_documents') }}
),

final as (
    select
        events.event_id,
        events.supplier_id,
        coalesce(suppliers.supplier_name, events.supplier_id) as supplier_name,
        suppliers.supplier_category,
        events.country,
        events.dimension,
        events.event_type,
        events.first_seen_on,
        events.last_seen_on,
        events.highest_level,
        round(events.severity::numeric, 2) as severity,
        round(events.credibility::numeric, 3) as credibility,
        round(events.weight::numeric, 4) as weight,
        round(events.contribution::numeric, 2) as contribution,
        events.documents,
        events.publishers,
        events.evidence_finding_id,
        findings.quote as evidence_quote,
        documents.title as evidence_title,
        documents.url as evidence_url,
        {{ as_of_date() }} as as_of_date
    from events
    inner join findings on events.evidence_finding_id = findings.finding_id
    inner join documents using (document_id)
    left join suppliers on events.supplier_id = suppliers.supplier_id
)

select * from final
