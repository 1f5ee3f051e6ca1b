{{ config(materialized='view') }}

with briefs as (
    select * from {{ ref('stg_briefs') }}
    where
        created_on <= {{ as_of_date() }}
        and live_from <= {{ as_of_date() }}
        and (live_until is null or live_until > {{ as_of_date() }})
),

retractions as (
    select * from {{ ref('stg_retractions') }}
    where
        brief_id is not null
        and made_on <= {{ as_of_date() }}
        and (undone_on is null or undone_on > {{ as_of_date() }})
),

ranked as (
    select
        *,
        row_number() over (partition by supplier_id, country order by brief_id desc) as place
    from briefs
    where brief_id not in (select retractions.brief_id from retractions)
),

-- the newest of a pair may say that there is nothing to tell any more
final as (
    select
        brief_id,
        supplier_id,
        country,
        generation_id,
        response_id,
        text,
        finding_ids,
        created_on,
        model,
        prompt_version
    from ranked
    where place = 1 and text is not null
)

select * from final
