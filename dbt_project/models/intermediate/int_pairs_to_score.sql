{{ config(materialized='table', post_hook='analyze {{ this }}') }}

{# in a full build nothing needs to be found: all pairs are listed #}
{% set newest = 'case when is_full then 9223372036854775807 else read_from end' %}
{% set read_from = refresh_value(newest) or 0 %}

with refresh as (
    select * from {{ ref('int_refresh') }}
),

pairs as (
    select * from {{ ref('stg_pairs') }}
),

changes as (
    select * from {{ ref('int_changes') }}
    where changed_in >= {{ read_from }}
),

changed as (
    select
        supplier_id,
        country,
        min(changed_on) as changed_on
    from changes
    group by supplier_id, country
),

final as (
    select
        pairs.pair_number,
        pairs.supplier_id,
        pairs.country,
        changed.changed_on is not null or refresh.is_full as findings_changed,
        greatest(
            case
                when refresh.is_full then refresh.history_from
                else least(changed.changed_on, refresh.days_from)
            end,
            refresh.history_from
        ) as from_day
    from pairs
    cross join refresh
    left join changed using (supplier_id, country)
    where changed.changed_on is not null or refresh.is_new_day
)

select * from final
