{{ config(meta={'dagster': {'ref': {'name': 'supplier_risk_current'}}}) }}

-- Every pair that a current document mentions is shown, with a score or as "no signal".
with counted as (
    select
        (
            select count(*) from (
                select distinct
                    supplier_id,
                    country
                from {{ ref('stg_mentions') }}
            ) as pairs
        ) as pairs,
        (
            select count(*) from {{ ref('supplier_risk_current') }}
            where dimension = 'overall'
        ) as shown
)

select * from counted
where pairs <> shown
