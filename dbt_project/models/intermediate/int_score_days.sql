select
    {{ as_of_date() }} as score_day,
    true as is_current
union all
select
    {{ as_of_date() }} - {{ var('trend_days') }} as score_day,
    false as is_current
