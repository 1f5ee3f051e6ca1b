-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    meta={'ages': true},
    indexes=[
        {'columns': ['event_id'], 'unique': true},
        {'columns': ['supplier_id', 'country']},
        {'columns': ['supplier_name']},
    ]
) }}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

events as (
    select
        pairs.supplier_id,
        pairs.country,
        events.*,
        {{ event_id('pairs', 'events') }} as event_id,
        events.credibility
        * {{ decay('(' ~ as_of_date() ~ ' - events.first_seen_on)', 'events.half_life_days') }}
            as weight
    from {{ ref('int_events') }} as events
    inner join pairs using (pair_number)
    where events.known_from <= {{ as_of_date() }} and events.known_until > {{ as_of_date() }}
),

findings as (
    select
        findings.finding_id,
        findings.document_id,
        answers.quote
    from {{ ref('int_findings') }} as findings
    inner join pairs using (pair_number)
    inner join {{ ref('stg_findings') }} as answers using (finding_id)
    where findings.known_from <= {{ as_of_date() }} and findings.known_until > {{ as_of_date() }}
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
        round((events.weight * events.severity)::numeric, 2) as contribution,
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
