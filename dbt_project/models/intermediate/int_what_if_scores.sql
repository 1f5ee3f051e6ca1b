{% set before = as_of_date() ~ ' - ' ~ var('trend_days') %}

with pairs as (
    select pair_number from {{ ref('int_pairs_to_score') }}
),

reconsidered as (
    select distinct pair_number from {{ ref('int_reconsidered_mentions') }}
    where cause in ('rescoring', 'rollback')
),

known_before as (
    select
        'decay' as step,
        events.pair_number,
        events.dimension,
        events.event_type,
        events.first_seen_on,
        events.forgotten_on,
        events.credibility,
        events.severity,
        events.half_life_days
    from {{ ref('int_events') }} as events
    inner join pairs using (pair_number)
    where events.known_from <= {{ before }} and events.known_until > {{ before }}
),

what_if as (
    select * from {{ ref('int_what_if_events') }}
),

events as (
    select * from known_before
    union all
    select * from what_if
),

all_scores as (
    select * from {{ scores_of('events', 'step') }} as scores
),

final as (
    select
        pair_number,
        all_scores.dimension,
        reconsidered.pair_number is not null as is_reconsidered,
        round((max(all_scores.score) filter (where all_scores.step = 'decay'))::numeric, 1)
            as after_decay,
        round((max(all_scores.score) filter (where all_scores.step = 'rescoring'))::numeric, 1)
            as after_rescoring,
        round((max(all_scores.score) filter (where all_scores.step = 'rollback'))::numeric, 1)
            as after_rollback
    from all_scores
    left join reconsidered using (pair_number)
    group by pair_number, all_scores.dimension, reconsidered.pair_number
)

select * from final
