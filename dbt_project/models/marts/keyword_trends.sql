{% set this_week = "date_trunc('week', " ~ as_of_date() ~ "::timestamp)::date" %}
{% set first_week = this_week ~ ' - 7 * (' ~ var('trend_weeks') ~ ' - 1)' %}

with findings as (
    select
        document_id,
        supplier_id,
        dimension,
        level,
        date_trunc('week', event_on::timestamp)::date as week,
        lower(keywords::text)::text[] as keywords
    from {{ ref('int_current_findings') }}
    where
        is_risk
        and event_on >= {{ first_week }} - 7
        and event_on <= {{ as_of_date() }}
),

-- by document and, in the same pass, by supplier: far cheaper than counting either as distinct
tallies as (
    select
        word.keyword,
        findings.dimension,
        findings.week,
        findings.document_id,
        findings.supplier_id,
        count(*) as findings,
        max(findings.level) as highest_level
    from findings
    cross join lateral unnest(findings.keywords) with ordinality as word (keyword, place)
    where
        trim(word.keyword) <> ''
        -- a finding may repeat a keyword
        and array_position(findings.keywords, word.keyword) = word.place
    group by
        grouping sets (
            (word.keyword, findings.dimension, findings.week, findings.document_id),
            (word.keyword, findings.dimension, findings.week, findings.supplier_id)
        )
),

words as (
    select
        keyword,
        dimension,
        week,
        sum(findings) filter (where document_id is not null) as findings,
        count(document_id) as documents,
        count(supplier_id) as suppliers,
        max(highest_level) as highest_level
    from tallies
    group by keyword, dimension, week
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
        coalesce(words.findings, 0)::bigint as findings,
        coalesce(words.documents, 0) as documents,
        coalesce(words.suppliers, 0) as suppliers,
        words.highest_level,
        (coalesce(words.findings, 0) - coalesce(last_week.findings, 0))::bigint as change,
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
