with pairs as (
    select distinct
        supplier_id,
        country
    from {{ ref('stg_mentions') }}
),

-- rounded as shown: the band and the trend must agree with the score that stands beside them
scores as (
    select
        score_day,
        supplier_id,
        country,
        dimension,
        round(score::numeric, 1) as score,
        events,
        null::text as top_dimension
    from {{ ref('int_dimension_scores') }}
    union all
    select
        score_day,
        supplier_id,
        country,
        'overall' as dimension,
        round(score::numeric, 1) as score,
        events,
        top_dimension
    from {{ ref('int_overall_scores') }}
),

today as (
    select * from scores
    where score_day = {{ as_of_date() }}
),

earlier as (
    select * from scores
    where score_day < {{ as_of_date() }}
),

-- every observed pair has an overall row; without a risk event, one without a score
rows_wanted as (
    select
        supplier_id,
        country,
        dimension
    from today
    union
    select
        supplier_id,
        country,
        'overall' as dimension
    from pairs
),

risk_documents as (
    select
        findings.supplier_id,
        findings.country,
        scope.dimension,
        count(distinct findings.document_id) as documents,
        string_agg(distinct findings.model, ', ' order by findings.model) as models
    from {{ ref('int_current_findings') }} as findings
    cross join lateral unnest(array[findings.dimension, 'overall']) as scope (dimension)
    where findings.is_risk
    group by findings.supplier_id, findings.country, scope.dimension
),

keywords as (
    select * from {{ ref('int_keywords') }}
),

bands as (
    select
        band,
        lowest_score,
        lead(lowest_score) over (order by lowest_score) as next_lowest_score
    from {{ ref('risk_bands') }}
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

final as (
    select
        rows_wanted.supplier_id,
        coalesce(suppliers.supplier_name, rows_wanted.supplier_id) as supplier_name,
        suppliers.supplier_category,
        rows_wanted.country,
        rows_wanted.dimension,
        today.score,
        coalesce(bands.band, 'no signal') as band,
        case
            when coalesce(today.events, 0) < {{ var('thin_events') }} then 'low' else 'normal'
        end as confidence,
        coalesce(today.events, 0) as events,
        coalesce(risk_documents.documents, 0) as documents,
        keywords.keywords,
        today.top_dimension,
        coalesce(today.score, 0) - coalesce(earlier.score, 0) as trend,
        risk_documents.models,
        policy.policy_version,
        {{ as_of_date() }} as as_of_date
    from rows_wanted
    cross join policy
    left join today using (supplier_id, country, dimension)
    left join earlier using (supplier_id, country, dimension)
    left join risk_documents using (supplier_id, country, dimension)
    left join keywords using (supplier_id, country, dimension)
    left join suppliers using (supplier_id)
    left join bands
        on
            today.score >= bands.lowest_score
            and (bands.next_lowest_score is null or today.score < bands.next_lowest_score)
)

select * from final
