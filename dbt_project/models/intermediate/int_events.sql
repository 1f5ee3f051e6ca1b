{% set story = 'score_day, supplier_id, country, dimension, event_type' %}

with findings as (
    select * from {{ ref('int_current_findings') }}
    where is_risk
),

days as (
    select * from {{ ref('int_score_days') }}
),

levels as (
    select * from {{ ref('risk_levels') }}
),

known as (
    select
        days.score_day,
        findings.*,
        lag(findings.event_on) over (
            partition by
                days.score_day, findings.supplier_id, findings.country, findings.dimension,
                findings.event_type
            order by findings.event_on, findings.finding_id
        ) as previous_on
    from findings
    inner join days on findings.event_on <= days.score_day
),

stretches as (
    select
        *,
        count(*) filter (
            where previous_on is null or event_on - previous_on > {{ var('event_gap_days') }}
        ) over (partition by {{ story }} order by event_on, finding_id) as stretch
    from known
),

slices as (
    select
        *,
        (event_on - min(event_on) over (partition by {{ story }}, stretch))
        / ({{ var('event_span_days') }} + 1) as slice
    from stretches
),

events as (
    select
        {{ story }},
        min(event_on) as first_seen_on,
        max(event_on) as last_seen_on,
        max(level) as highest_level,
        count(distinct document_id) as documents,
        count(distinct publisher) as publishers,
        least(
            1,
            max(credibility)
            * case
                when count(distinct publisher) > 1 then {{ var('corroboration_factor') }} else 1
            end
        ) as credibility,
        sum(credibility * score order by finding_id) / sum(credibility order by finding_id)
            as severity,
        -- gravest, best vouched and earliest first; ids follow the order of answers, not of news
        array_agg(
            finding_id
            order by level desc, credibility desc, event_on asc, quote asc, finding_id asc
        ) as finding_ids
    from slices
    group by {{ story }}, stretch, slice
),

weighted as (
    select
        events.*,
        events.credibility
        * {{ decay('(events.score_day - events.first_seen_on)', 'levels.half_life_days') }}
            as weight
    from events
    inner join levels on events.highest_level = levels.level
),

final as (
    select
        md5(concat_ws('|', supplier_id, country, dimension, event_type, first_seen_on)) as event_id,
        *,
        weight * severity as contribution,
        finding_ids[1] as evidence_finding_id
    from weighted
)

select * from final
