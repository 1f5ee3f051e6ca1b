{{ config(materialized='table', post_hook='{{ forget_last_refresh() }}') }}

{% set last = last_refresh() %}

with policy as (
    select * from {{ ref('int_policy') }}
),

today as (
    select
        {{ as_of_date() }} as as_of_date,
        {{ as_of_date() }} - {{ var('history_days') }} + 1 as history_from,
        policy_version,
        cast('{{ code_version() }}' as text) as code_version,
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint as read_to
    from policy
),

-- what an earlier build left is of no use to another policy or code, to an earlier day, or in
-- another cluster, where transactions are counted anew
previous as (
    {% if last %}
        select
            last_build.as_of_date,
            last_build.read_to
        from {{ last }} as last_build
        inner join today using (policy_version, code_version)
        where
            last_build.as_of_date <= today.as_of_date
            and last_build.read_to <= today.read_to
    {% else %}
        select
            null::date as as_of_date,
            null::bigint as read_to
        where false
    {% endif %}
),

final as (
    select
        today.*,
        coalesce(previous.read_to, 0) as read_from,
        coalesce(previous.as_of_date + 1, today.history_from) as days_from,
        previous.as_of_date is null as is_full,
        coalesce(previous.as_of_date < today.as_of_date, true) as is_new_day
    from today
    left join previous on true
)

select * from final
