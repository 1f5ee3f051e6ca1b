{{ config(meta={'dagster': {'ref': {'name': 'country_risk_current'}}}) }}

-- 75.0 is critical, also where it was 74.96 before it was rounded.
with shown as (
    select
        supplier_id || '@' || country || ' ' || dimension as subject,
        score,
        band
    from {{ ref('supplier_risk_current') }}
    union all
    select
        country || ' ' || dimension as subject,
        score,
        band
    from {{ ref('country_risk_current') }}
),

ranked as (
    select
        shown.*,
        (
            select bands.band from {{ ref('risk_bands') }} as bands
            where bands.lowest_score <= shown.score
            order by bands.lowest_score desc
            limit 1
        ) as expected
    from shown
)

select * from ranked
where band <> coalesce(expected, 'no signal')
