-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    indexes=[
        {'columns': ['supplier_id', 'country', 'dimension', 'day'], 'unique': true},
        {'columns': ['supplier_name']},
    ],
    post_hook=[
        "{{ index_of_some('day, band, country', \"dimension = 'overall'\") }}",
        'analyze {{ this }}',
    ]
) }}

with scores as (
    select * from {{ ref('int_dimension_scores') }}
),

overall as (
    select
        scores.pair_number,
        'overall' as dimension,
        scores.day,
        {{ worst_and_mean('scores.score', 'dimensions.weight') }} as score,
        sum(scores.events)::bigint as events
    from scores
    inner join {{ ref('risk_dimensions') }} as dimensions using (dimension)
    group by scores.pair_number, scores.day
),

-- rounded as shown: the band must agree with the score that stands beside it
rounded as (
    select
        pair_number,
        dimension,
        day,
        round(score::numeric, 1) as score,
        events
    from scores
    union all
    select
        pair_number,
        dimension,
        day,
        round(score::numeric, 1) as score,
        events
    from overall
),

pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

final as (
    select
        pairs.supplier_id,
        coalesce(suppliers.supplier_name, pairs.supplier_id) as supplier_name,
        suppliers.supplier_category,
        pairs.country,
        rounded.dimension,
        rounded.day,
        rounded.score,
        {{ band_of('rounded.score') }} as band,
        rounded.events
    from rounded
    inner join pairs using (pair_number)
    left join suppliers using (supplier_id)
)

select * from final
