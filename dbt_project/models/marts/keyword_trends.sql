with tallies as (
    select * from {{ ref('int_keyword_weeks') }}
    where week between {{ first_week() }} - 7 and {{ this_week() }}
),

by_supplier as (
    select
        keyword,
        dimension,
        week,
        supplier_id,
        sum(findings) as findings,
        max(highest_level) as highest_level
    from tallies
    group by keyword, dimension, week, supplier_id
),

words as (
    select
        keyword,
        dimension,
        week,
        sum(findings)::bigint as findings,
        count(*) as suppliers,
        max(highest_level) as highest_level
    from by_supplier
    group by keyword, dimension, week
),

neighbours as (
    select
        *,
        case when lag(week) over series = week - 7 then lag(findings) over series else 0 end
            as findings_before,
        coalesce(lead(week) over series = week + 7, false) as goes_on
    from words
    window series as (partition by keyword, dimension order by week)
),

-- the week after one with findings has a row as well: a keyword that falls silent falls to zero
compared as (
    select
        keyword,
        dimension,
        week,
        findings,
        suppliers,
        highest_level,
        findings - findings_before as change
    from neighbours
    union all
    select
        keyword,
        dimension,
        week + 7 as week,
        0 as findings,
        0 as suppliers,
        null as highest_level,
        -findings as change
    from neighbours
    where not goes_on
),

final as (
    select
        keyword,
        dimension,
        week,
        findings,
        suppliers,
        highest_level,
        change,
        week < {{ this_week() }} as is_complete,
        {{ as_of_date() }} as as_of_date
    from compared
    where week between {{ first_week() }} and {{ this_week() }}
)

select * from final
