{{ config(materialized='table', post_hook='analyze {{ this }}') }}

with findings as (
    select * from {{ ref('int_compared_findings') }}
),

events as (
    select *
    from {{ events_of('findings', 'base_generation_id, generation_id, side') }} as events
),

contributions as (
    select
        base_generation_id,
        generation_id,
        side,
        pair_number,
        dimension,
        credibility * severity
        * {{ decay('(' ~ as_of_date() ~ ' - first_seen_on)', 'half_life_days') }} as contribution
    from events
    where forgotten_on > {{ as_of_date() }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by base_generation_id, generation_id, side, pair_number, dimension
            order by contribution desc
        ) - 1 as place
    from contributions
),

scores as (
    select
        base_generation_id,
        generation_id,
        side,
        pair_number,
        dimension,
        {{ damped_noisy_or('contribution', 'place') }} as score
    from ranked
    group by base_generation_id, generation_id, side, pair_number, dimension
),

overall as (
    select
        scores.base_generation_id,
        scores.generation_id,
        scores.side,
        scores.pair_number,
        'overall' as dimension,
        {{ worst_and_mean('scores.score', 'dimensions.weight') }} as score
    from scores
    inner join {{ ref('risk_dimensions') }} as dimensions using (dimension)
    group by scores.base_generation_id, scores.generation_id, scores.side, scores.pair_number
),

all_scores as (
    select * from scores
    union all
    select * from overall
),

final as (
    select
        base_generation_id,
        generation_id,
        pair_number,
        dimension,
        round((max(score) filter (where side = 'base'))::numeric, 1) as base_score,
        round((max(score) filter (where side = 'newer'))::numeric, 1) as score
    from all_scores
    group by base_generation_id, generation_id, pair_number, dimension
)

select * from final
