-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    meta={'ages': true},
    indexes=[{'columns': ['supplier_id', 'country', 'dimension'], 'unique': true}],
    post_hook='analyze {{ this }}'
) }}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

observed as (
    select
        pairs.pair_number,
        'overall' as dimension
    from pairs
    where exists (
        select from {{ ref('stg_mentions') }} as mentions
        inner join {{ ref('stg_documents') }} as documents using (document_id)
        where
            mentions.supplier_id = pairs.supplier_id
            and mentions.country = pairs.country
            and mentions.mentioned_on <= {{ as_of_date() }}
            and coalesce(documents.ended_on > {{ as_of_date() }}, true)
    )
),

days as (
    select
        daily.*,
        pairs.pair_number
    from {{ ref('supplier_risk_daily') }} as daily
    inner join pairs using (supplier_id, country)
    where daily.day in ({{ as_of_date() }}, {{ as_of_date() }} - {{ var('trend_days') }})
),

today as (
    select * from days
    where day = {{ as_of_date() }}
),

earlier as (
    select * from days
    where day < {{ as_of_date() }}
),

-- every observed pair has an overall row; without a risk event, one without a score
rows_wanted as (
    select
        pair_number,
        dimension
    from today
    union
    select
        pair_number,
        dimension
    from observed
),

worst as (
    select distinct on (pair_number)
        pair_number,
        'overall' as dimension,
        dimension as top_dimension
    from today
    where dimension <> 'overall'
    order by pair_number asc, score desc, top_dimension asc
),

risk_documents as (
    select
        findings.pair_number,
        scope.dimension,
        count(distinct findings.document_id) as documents,
        string_agg(distinct assessments.model, ', ' order by assessments.model) as models
    from {{ ref('int_findings') }} as findings
    inner join pairs using (pair_number)
    inner join {{ ref('stg_assessments') }} as assessments using (assessment_id)
    cross join lateral unnest(array[findings.dimension, 'overall']) as scope (dimension)
    where
        findings.is_risk
        and findings.known_from <= {{ as_of_date() }}
        and findings.known_until > {{ as_of_date() }}
    group by findings.pair_number, scope.dimension
),

keywords as (
    select * from {{ ref('int_keywords') }}
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

final as (
    select
        pairs.supplier_id,
        coalesce(suppliers.supplier_name, pairs.supplier_id) as supplier_name,
        suppliers.supplier_category,
        pairs.country,
        rows_wanted.dimension,
        today.score,
        coalesce(today.band, 'no signal') as band,
        case
            when coalesce(today.events, 0) < {{ var('thin_events') }} then 'low' else 'normal'
        end as confidence,
        coalesce(today.events, 0) as events,
        coalesce(risk_documents.documents, 0) as documents,
        keywords.keywords,
        worst.top_dimension,
        coalesce(today.score, 0) - coalesce(earlier.score, 0) as trend,
        risk_documents.models,
        policy.policy_version,
        {{ as_of_date() }} as as_of_date
    from rows_wanted
    inner join pairs using (pair_number)
    cross join policy
    left join today using (pair_number, dimension)
    left join earlier using (pair_number, dimension)
    left join risk_documents using (pair_number, dimension)
    left join keywords using (pair_number, dimension)
    left join worst using (pair_number, dimension)
    left join suppliers on pairs.supplier_id = suppliers.supplier_id
)

select * from final
