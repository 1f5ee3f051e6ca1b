-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    indexes=[{'columns': ['pair_number']}],
    post_hook='analyze {{ this }}'
) }}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
    where findings_changed
),

periods as (
    select * from {{ ref('int_assessment_periods') }}
),

findings as (
    select * from {{ ref('int_graded_findings') }}
),

final as (
    select
        pairs.pair_number,
        findings.finding_id,
        periods.mention_id,
        periods.assessment_id,
        periods.document_id,
        findings.dimension,
        findings.level,
        findings.status,
        findings.event_type,
        findings.event_on,
        findings.quote_begin,
        findings.publisher,
        findings.publisher_class,
        findings.score,
        findings.credibility,
        findings.is_risk,
        periods.known_from,
        periods.known_until
    from pairs
    inner join periods using (pair_number)
    inner join findings using (assessment_id)
)

select * from final
