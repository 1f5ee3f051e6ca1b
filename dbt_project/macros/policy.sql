{# Custom schemas are used as they are named, without the target's schema in front. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}

{# The day that ages are counted to. #}
{% macro as_of_date() -%}
    date '{{ var("as_of_date") or run_started_at.strftime("%Y-%m-%d") }}'
{%- endmacro %}

{# The Monday on which the unfinished week of as_of_date began, and that of the first week shown. #}
{% macro this_week() -%}
    date_trunc('week', {{ as_of_date() }}::timestamp)::date
{%- endmacro %}

{% macro first_week() -%}
    ({{ this_week() }} - 7 * ({{ var("trend_weeks") }} - 1))
{%- endmacro %}

{# What is left after so many days; half after a half-life. Bounded, as power() may underflow. #}
{% macro decay(age_days, half_life_days) -%}
    power(0.5::double precision, least({{ age_days }}::double precision / {{ half_life_days }}, 100))
{%- endmacro %}

{# A float without its last digits, which depend on the order in which it was summed up. #}
{% macro certain(number) -%}
    round(1e9 * ({{ number }})) / 1e9
{%- endmacro %}

{# Damped noisy-OR over contributions from 0 to 100, the largest first (`position` counts from 0).
   A contribution of 100 leaves next to nothing, not nothing, of which there is no logarithm. #}
{% macro damped_noisy_or(contribution, position) -%}
    {%- set damped = contribution ~ " / 100 * power(" ~ var("damping") ~ "::double precision, least("
        ~ position ~ ", 60))" -%}
    {{ certain("100 * (1 - exp(sum(ln(greatest(1 - " ~ damped ~ ", 1e-12)))))") }}
{%- endmacro %}

{# The share of the worst, and of the weighted mean of all. #}
{% macro worst_and_mean(score, weight) -%}
    {%- set mean = "sum(" ~ score ~ " * " ~ weight ~ ") / sum(" ~ weight ~ ")" -%}
    {{ certain(
        var("worst_share") ~ " * max(" ~ score ~ ") + (1 - " ~ var("worst_share") ~ ") * " ~ mean
    ) }}
{%- endmacro %}

{# The band of a score. #}
{% macro band_of(score) -%}
    (select array_agg(band order by lowest_score) from {{ ref("risk_bands") }})[
        width_bucket(
            ({{ score }})::double precision,
            (select array_agg(lowest_score order by lowest_score) from {{ ref("risk_bands") }})
        )
    ]
{%- endmacro %}

{# The events that findings form: gaps and islands on the event day, for each pair, dimension and
   event type of one `world` (columns that tell apart what is clustered apart). #}
{% macro events_of(findings, world) -%}
(
    with neighbours as (
        select
            *,
            lag(event_on) over story as previous_on
        from {{ findings }}
        window
            story as (
                partition by {{ world }}, pair_number, dimension, event_type
                order by event_on, finding_id
            )
    ),

    stretches as (
        select
            *,
            count(*) filter (
                where previous_on is null or event_on - previous_on > {{ var("event_gap_days") }}
            ) over (
                partition by {{ world }}, pair_number, dimension, event_type
                order by event_on, finding_id
            ) as stretch
        from neighbours
    ),

    slices as (
        select
            *,
            (event_on - min(event_on) over (
                partition by {{ world }}, pair_number, dimension, event_type, stretch
            )) / ({{ var("event_span_days") }} + 1) as slice
        from stretches
    ),

    events as (
        select
            {{ world }},
            pair_number,
            dimension,
            event_type,
            min(event_on) as first_seen_on,
            max(event_on) as last_seen_on,
            max(level) as highest_level,
            count(distinct document_id) as documents,
            count(distinct publisher) as publishers,
            least(
                1,
                max(credibility)
                * case
                    when count(distinct publisher) > 1 then {{ var("corroboration_factor") }}
                    else 1
                end
            ) as credibility,
            {{ certain("sum(credibility * score) / sum(credibility)") }} as severity,
            -- gravest, best vouched and earliest first; ids follow the order of answers, not of news
            array_agg(
                finding_id
                order by level desc, credibility desc, event_on asc, quote_begin asc, finding_id asc
            ) as finding_ids
        from slices
        group by {{ world }}, pair_number, dimension, event_type, stretch, slice
    )

    select
        events.*,
        levels.half_life_days,
        -- the first day on which it adds less than is worth counting
        events.first_seen_on + 1 + floor(
            levels.half_life_days / ln(2) * ln(greatest(
                events.credibility * events.severity / {{ var("least_contribution") }}, 1
            ))
        )::integer as forgotten_on
    from events
    inner join {{ ref("risk_levels") }} as levels on events.highest_level = levels.level
)
{%- endmacro %}

{# The scores of each pair, dimension and `overall` on as_of_date that events give, for each of
   several worlds (columns that tell apart what is scored apart). #}
{% macro scores_of(events, world) -%}
(
    with contributions as (
        select
            {{ world }},
            pair_number,
            dimension,
            credibility * severity
            * {{ decay("(" ~ as_of_date() ~ " - first_seen_on)", "half_life_days") }} as contribution
        from {{ events }}
        where forgotten_on > {{ as_of_date() }}
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by {{ world }}, pair_number, dimension order by contribution desc
            ) - 1 as place
        from contributions
    ),

    scores as (
        select
            {{ world }},
            pair_number,
            dimension,
            {{ damped_noisy_or("contribution", "place") }} as score
        from ranked
        group by {{ world }}, pair_number, dimension
    )

    select * from scores
    union all
    select
        {{ world }},
        pair_number,
        'overall' as dimension,
        {{ worst_and_mean("score", "weight") }} as score
    from scores
    inner join {{ ref("risk_dimensions") }} using (dimension)
    group by {{ world }}, pair_number
)
{%- endmacro %}

{# Names an event by its place and its first day, whatever findings it is made of. #}
{% macro event_id(pairs, events) -%}
    md5(concat_ws(
        '|', {{ pairs }}.supplier_id, {{ pairs }}.country, {{ events }}.dimension,
        {{ events }}.event_type, {{ events }}.first_seen_on
    ))
{%- endmacro %}

{# All formulas of scores as they compile, on whichever day: where these differ, scores may. #}
{% macro policy_formulas() -%}
    {{ [
        decay('a', 'b'), damped_noisy_or('a', 'b'), worst_and_mean('a', 'b'), band_of('a'),
        events_of('a', 'b'), scores_of('a', 'b'), event_id('a', 'b')
    ] | join('|') | replace(as_of_date(), 'as_of_date') }}
{%- endmacro %}
