with events as (
    select * from {{ ref('int_events') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by score_day, supplier_id, country, dimension
            order by contribution desc, event_id asc
        ) - 1 as place
    from events
),

final as (
    select
        score_day,
        supplier_id,
        country,
        dimension,
        {{ damped_noisy_or('contribution', 'place') }} as score,
        count(*) as events
    from ranked
    group by score_day, supplier_id, country, dimension
)

select * from final
