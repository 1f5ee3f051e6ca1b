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

mentions as (
    select * from {{ ref('stg_mentions') }}
),

assessments as (
    select * from {{ ref('stg_assessments') }}
),

changes as (
    select
        supplier_id,
        country,
        mentioned_on as changed_on
    from mentions
    where changed_in >= {{ read_from }}
    union all
    -- a first assessment counts from the day of its mention, a later one from its own
    select
        mentions.supplier_id,
        mentions.country,
        case
            when exists (
                select from {{ ref('stg_assessments') }} as earlier
                where
                    earlier.mention_id = assessments.mention_id
                    and earlier.assessment_id < assessments.assessment_id
                    and earlier.was_ever_live
                    and earlier.promoted_on is null
            ) then assessments.assessed_on
            else mentions.mentioned_on
        end as changed_on
    from assessments
    inner join mentions using (mention_id)
    where assessments.changed_in >= {{ read_from }}
    union all
    select
        mentions.supplier_id,
        mentions.country,
        coalesce(documents.ended_on, mentions.mentioned_on) as changed_on
    from {{ ref('stg_documents') }} as documents
    inner join mentions using (document_id)
    where documents.marked_in >= {{ read_from }}
    union all
    select
        mentions.supplier_id,
        mentions.country,
        retractions.made_on as changed_on
    from {{ ref('stg_retractions') }} as retractions
    inner join assessments using (assessment_id)
    inner join mentions using (mention_id)
    where retractions.changed_in >= {{ read_from }}
    union all
    select
        mentions.supplier_id,
        mentions.country,
        least(generations.live_from_on, generations.live_until_on) as changed_on
    from {{ ref('stg_generations') }} as generations
    inner join assessments using (generation_id)
    inner join mentions using (mention_id)
    -- a generation is older than what it says, unless it was promoted or discarded since
    where
        generations.changed_in >= {{ read_from }}
        and generations.changed_in > assessments.changed_in
    union all
    -- what is said of a supplier stands on every row of it
    select
        pairs.supplier_id,
        pairs.country,
        refresh.history_from as changed_on
    from {{ ref('stg_supplier_versions') }} as suppliers
    inner join pairs using (supplier_id)
    cross join refresh
    where suppliers.changed_in >= {{ read_from }}
    union all
    -- briefs move no score
    select
        briefs.supplier_id,
        briefs.country,
        'infinity'::date as changed_on
    from {{ ref('stg_briefs') }} as briefs
    left join {{ ref('stg_retractions') }} as retractions using (brief_id)
    left join {{ ref('stg_generations') }} as generations using (generation_id)
    where
        briefs.changed_in >= {{ read_from }}
        or retractions.changed_in >= {{ read_from }}
        or generations.changed_in >= {{ read_from }}
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
