-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    meta={'ages': true},
    indexes=[{'columns': ['supplier_id', 'country'], 'unique': true}]
) }}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

briefs as (
    select briefs.* from {{ ref('int_current_briefs') }} as briefs
    inner join pairs using (supplier_id, country)
),

findings as (
    select findings.finding_id
    from {{ ref('int_findings') }} as findings
    inner join pairs using (pair_number)
    where
        findings.is_risk
        and findings.known_from <= {{ as_of_date() }}
        and findings.known_until > {{ as_of_date() }}
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

markers as (
    select distinct
        briefs.brief_id,
        briefs.finding_ids[marker.numbers[1]::integer] as finding_id
    from briefs
    cross join lateral regexp_matches(briefs.text, '\[(\d{1,2})\]', 'g') as marker (numbers)
),

citations as (
    select
        markers.brief_id,
        count(*) as citations,
        count(findings.finding_id) as current_citations
    from markers
    left join findings using (finding_id)
    where markers.finding_id is not null
    group by markers.brief_id
),

final as (
    select
        briefs.supplier_id,
        coalesce(suppliers.supplier_name, briefs.supplier_id) as supplier_name,
        suppliers.supplier_category,
        briefs.country,
        briefs.text as brief,
        briefs.finding_ids,
        coalesce(citations.citations, 0) as citations,
        coalesce(citations.current_citations, 0) as current_citations,
        coalesce(citations.citations = citations.current_citations, true) as is_current,
        briefs.model,
        briefs.prompt_version,
        briefs.generation_id,
        briefs.response_id,
        briefs.created_on as written_on,
        {{ as_of_date() }} as as_of_date
    from briefs
    left join citations using (brief_id)
    left join suppliers using (supplier_id)
)

select * from final
