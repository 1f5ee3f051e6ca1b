{% set this_week = "date_trunc('week', " ~ as_of_date() ~ ")::date" %}
{% set first_week = this_week ~ ' - 7 * (' ~ var('trend_weeks') ~ ' - 1)' %}

with findings as (
    select
        *,
        date_trunc('week', event_on)::date as week
    from {{ ref('int_current_findings') }}
    where
        is_risk
        and event_on >= {{ first_week }} - 7
        and event_on <= {{ as_of_date() }}
),

words as (
    select
        lower(trim(word.keyword)) as keyword,
        findings.dimension,
        findings.week,
        count(distinct findings.finding_id) as findings,
        count(distinct findings.document_id) as documents,
        count(distinct findings.supplier_id) as suppliers,
        max(findings.level) as highest_level
    from findings
    cross join lateral unnest(findings.keywords) as word (keyword)
    group by lower(trim(word.keyword)), findings.dimension, findings.week
),

-- the week after one with findings has a row as well: a keyword that falls silent falls to zero
weeks as (
    select
        keyword,
        dimension,
        week
    from words
    union
    select
        keyword,
        dimension,
        week + 7 as week
    from words
),

final as (
    select
        weeks.keyword,
        weeks.dimension,
        weeks.week,
        coalesce(words.findings, 0) as findings,
        coalesce(words.documents, 0) as documents,
        coalesce(words.suppliers, 0) as suppliers,
        words.highest_level,
        coalesce(words.findings, 0) - coalesce(last_week.findings, 0) as change,
        weeks.week < {{ this_week }} as is_complete,
        {{ as_of_date() }} as as_of_date
    from weeks
    left join words using (keyword, dimension, week)
    left join words as last_week
        on
            weeks.keyword = last_week.keyword
            and weeks.dimension = last_week.dimension
            and weeks.week - 7 = last_week.week
    where weeks.week between {{ first_week }} and {{ this_week }}
)

select * from final
