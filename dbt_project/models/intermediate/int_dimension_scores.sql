with refresh as (
    select * from {{ ref('int_refresh') }}
),

pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

events as (
    select
        events.*,
        greatest(events.known_from, pairs.from_day) as counts_from,
        least(events.known_until, events.forgotten_on, refresh.as_of_date + 1) as counts_until
    from {{ ref('int_events') }} as events
    inner join pairs using (pair_number)
    cross join refresh
),

event_days as (
    select
        events.pair_number,
        events.dimension,
        events.counts_from + passed.days as day,
        events.credibility * events.severity as impact,
        events.half_life_days,
        events.counts_from + passed.days - events.first_seen_on as age
    from events
    cross join lateral generate_series(0, events.counts_until - events.counts_from - 1)
        as passed (days)
),

contributions as (
    select
        pair_number,
        dimension,
        day,
        impact * {{ decay('age', 'half_life_days') }} as contribution
    from event_days
),

ranked as (
    select
        *,
        row_number() over (
            partition by pair_number, dimension, day order by contribution desc
        ) - 1 as place
    from contributions
),

final as (
    select
        pair_number,
        dimension,
        day,
        {{ damped_noisy_or('contribution', 'place') }} as score,
        count(*) as events
    from ranked
    group by pair_number, dimension, day
)

select * from final
