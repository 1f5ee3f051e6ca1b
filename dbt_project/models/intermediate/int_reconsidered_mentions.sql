{% set before = as_of_date() ~ ' - ' ~ var('trend_days') %}

with pairs as (
    select pair_number from {{ ref('int_pairs_to_score') }}
),

periods as (
    select periods.* from {{ ref('int_assessment_periods') }} as periods
    inner join pairs using (pair_number)
),

earlier as (
    select * from periods
    where known_from <= {{ before }} and known_until > {{ before }}
),

today as (
    select * from periods
    where known_from <= {{ as_of_date() }} and known_until > {{ as_of_date() }}
),

final as (
    select
        pair_number,
        mention_id,
        earlier.assessment_id as earlier_assessment_id,
        today.assessment_id as today_assessment_id,
        case
            when today.assessment_id is not null then today.began_by
            when earlier.ended_on <= {{ as_of_date() }} then 'news'
            else 'rollback'
        end as cause
    from earlier
    full join today using (pair_number, mention_id)
    where earlier.assessment_id is distinct from today.assessment_id
)

select * from final
