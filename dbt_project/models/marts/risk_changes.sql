-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    meta={'ages': true},
    indexes=[{'columns': ['supplier_id', 'country', 'dimension'], 'unique': true}]
) }}

{% set before = as_of_date() ~ ' - ' ~ var('trend_days') %}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

days as (
    select daily.*
    from {{ ref('supplier_risk_daily') }} as daily
    inner join pairs using (supplier_id, country)
    where daily.day in ({{ before }}, {{ as_of_date() }})
),

earlier as (
    select * from days
    where day = {{ before }}
),

today as (
    select * from days
    where day = {{ as_of_date() }}
),

what_if as (
    select
        pairs.supplier_id,
        pairs.country,
        scores.*
    from {{ ref('int_what_if_scores') }} as scores
    inner join pairs using (pair_number)
),

-- each cause moves the score from what it was without it to what it is with it
steps as (
    select
        supplier_id,
        country,
        dimension,
        coalesce(today.supplier_name, earlier.supplier_name) as supplier_name,
        coalesce(today.supplier_category, earlier.supplier_category) as supplier_category,
        earlier.score as earlier_score,
        earlier.band as earlier_band,
        today.score as today_score,
        today.band as today_band,
        coalesce(earlier.score, 0) as step_0,
        coalesce(what_if.after_decay, 0) as step_1,
        coalesce(
            case
                when what_if.is_reconsidered then what_if.after_rescoring else what_if.after_decay
            end,
            0
        ) as step_2,
        coalesce(
            case
                when what_if.is_reconsidered then what_if.after_rollback else what_if.after_decay
            end,
            0
        ) as step_3,
        coalesce(today.score, 0) as step_4
    from earlier
    full join today using (supplier_id, country, dimension)
    full join what_if using (supplier_id, country, dimension)
),

moved as (
    select
        *,
        step_1 - step_0 as decay,
        step_2 - step_1 as rescoring,
        step_3 - step_2 as rollbacks,
        step_4 - step_3 as new_events
    from steps
    where earlier_score is not null or today_score is not null
),

final as (
    select
        supplier_id,
        supplier_name,
        supplier_category,
        country,
        dimension,
        earlier_score as score_before,
        coalesce(earlier_band, 'no signal') as band_before,
        today_score as score_now,
        coalesce(today_band, 'no signal') as band_now,
        step_4 - step_0 as change,
        new_events,
        decay,
        rescoring,
        rollbacks,
        case greatest(abs(new_events), abs(decay), abs(rescoring), abs(rollbacks))
            when 0 then 'none'
            when abs(new_events) then 'new events'
            when abs(rescoring) then 'rescoring'
            when abs(rollbacks) then 'rollback'
            else 'decay'
        end as main_cause,
        {{ before }} as compared_with,
        {{ as_of_date() }} as as_of_date
    from moved
)

select * from final
