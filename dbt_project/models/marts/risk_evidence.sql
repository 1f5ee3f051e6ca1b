-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    meta={'ages': true},
    indexes=[
        {'columns': ['finding_id'], 'unique': true},
        {'columns': ['supplier_id', 'country']},
        {'columns': ['supplier_name']},
    ]
) }}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

findings as (
    select findings.* from {{ ref('int_current_findings') }} as findings
    inner join pairs using (pair_number)
),

documents as (
    select * from {{ ref('stg_documents') }}
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

events as (
    select
        {{ event_id('pairs', 'events') }} as event_id,
        unnest(events.finding_ids) as finding_id
    from {{ ref('int_events') }} as events
    inner join pairs using (pair_number)
    where events.known_from <= {{ as_of_date() }} and events.known_until > {{ as_of_date() }}
),

final as (
    select
        findings.finding_id,
        events.event_id,
        findings.supplier_id,
        coalesce(suppliers.supplier_name, findings.supplier_id) as supplier_name,
        suppliers.supplier_category,
        findings.country,
        findings.country_source,
        findings.dimension,
        findings.level,
        findings.status,
        findings.event_type,
        findings.event_on,
        array_to_string(findings.keywords, ', ') as keywords,
        findings.quote,
        findings.quote_verified,
        findings.quote_start,
        findings.quote_end,
        findings.rationale,
        findings.document_id,
        documents.title,
        documents.publisher,
        documents.url,
        documents.published_at,
        documents.original_published_at,
        findings.model,
        findings.prompt_version,
        findings.response_id,
        {{ as_of_date() }} as as_of_date
    from findings
    inner join documents using (document_id)
    left join suppliers using (supplier_id)
    left join events using (finding_id)
)

select * from final
