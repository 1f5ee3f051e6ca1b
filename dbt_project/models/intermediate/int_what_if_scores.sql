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

contributions as (
    select
        step,
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
            partition by step, pair_number, dimension order by contribution desc
        ) - 1 as place
    from contributions
),

scores as (
    select
        step,
        pair_number,
        dimension,
        {{ damped_noisy_or('contribution', 'place') }} as score
    from ranked
    group by step, pair_number, dimension
),

overall as (
    select
        scores.step,
        scores.pair_number,
        'overall' as dimension,
        {{ worst_and_mean('scores.score', 'dimensions.weight') }} as score
    from scores
    inner join {{ ref('risk_dimensions') }} as dimensions using (dimension)
    group by scores.step, scores.pair_number
),

all_scores as (
    select * from scores
    union all
    select * from overall
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
