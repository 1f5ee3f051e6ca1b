{{ config(materialized='table', post_hook='analyze {{ this }}') }}

with findings as (
    select * from {{ ref('int_compared_findings') }}
),

events as (
    select *
    from {{ events_of('findings', 'base_generation_id, generation_id, side') }} as events
),

scores as (
    select *
    from {{ scores_of('events', 'base_generation_id, generation_id, side') }} as scores
),

final as (
    select
        base_generation_id,
        generation_id,
        pair_number,
        dimension,
        round((max(score) filter (where side = 'base'))::numeric, 1) as base_score,
        round((max(score) filter (where side = 'newer'))::numeric, 1) as score
    from scores
    group by base_generation_id, generation_id, pair_number, dimension
)

select * from final
