with events as (
    select * from {{ ref('int_events') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by score_day, supplier_id, country, dimension
            order by contribution desc, event_id
        ) - 1 as position
    from events
),

final as (
    select
        score_day,
        supplier_id,
        country,
        dimension,
        {{ damped_noisy_or('contribution', 'position') }} as score,
        count(*) as events
    from ranked
    group by score_day, supplier_id, country, dimension
)

select * from final
