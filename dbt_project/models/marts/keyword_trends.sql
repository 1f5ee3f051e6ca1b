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
        sum(findings) as findings,
        count(*) as suppliers,
        max(highest_level) as highest_level
    from by_supplier
    group by keyword, dimension, week
),

-- the week after one with findings has a row as well: a keyword that falls silent falls to zero
silences as (
    select
        words.keyword,
        words.dimension,
        words.week + 7 as week,
        0 as findings,
        0 as suppliers,
        null::smallint as highest_level
    from words
    left join words as later
        on
            words.keyword = later.keyword
            and words.dimension = later.dimension
            and words.week + 7 = later.week
    where later.keyword is null
),

weeks as (
    select * from words
    union all
    select * from silences
),

compared as (
    select
        *,
        findings - case
            when lag(week) over series = week - 7 then lag(findings) over series else 0
        end as change
    from weeks
    window series as (partition by keyword, dimension order by week)
),

final as (
    select
        keyword,
        dimension,
        week,
        findings::bigint as findings,
        suppliers,
        highest_level,
        change::bigint as change,
        week < {{ this_week() }} as is_complete,
        {{ as_of_date() }} as as_of_date
    from compared
    where week between {{ first_week() }} and {{ this_week() }}
)

select * from final
