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
    select * from {{ ref('stg_findings') }}
),

documents as (
    select * from {{ ref('stg_documents') }}
),

final as (
    select
        pairs.pair_number,
        findings.finding_id,
        periods.mention_id,
        periods.assessment_id,
        periods.document_id,
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
        documents.publisher,
        classes.publisher_class,
        levels.score,
        classes.credibility * statuses.factor as credibility,
        findings.quote_verified and findings.level > 0 as is_risk,
        periods.known_from,
        periods.known_until
    from pairs
    inner join periods using (pair_number)
    inner join findings using (assessment_id)
    inner join documents using (document_id)
    -- what the policy does not know leaves a null, which the table refuses: no finding is lost
    left join {{ ref('risk_dimensions') }} as dimensions using (dimension)
    left join {{ ref('risk_levels') }} as levels using (level)
    left join {{ ref('risk_statuses') }} as statuses using (status)
    left join {{ ref('publishers') }} as publishers using (publisher)
    left join {{ ref('publisher_classes') }} as classes
        on coalesce(publishers.publisher_class, 'unknown') = classes.publisher_class
)

select * from final
