{{ config(meta={'dagster': {'ref': {'name': 'supplier_risk_current'}}}) }}

-- Every pair that a current document mentions is shown, with a score or as "no signal"; no other.
with pairs as (
    select * from {{ ref('int_settled_pairs') }}
),

observed as (
    select distinct
        pairs.supplier_id,
        pairs.country
    from pairs
    inner join {{ ref('stg_mentions') }} as mentions using (supplier_id, country)
    inner join {{ ref('stg_documents') }} as documents using (document_id)
    where
        mentions.mentioned_on <= {{ as_of_date() }}
        and coalesce(documents.ended_on > {{ as_of_date() }}, true)
),

shown as (
    select
        current_risk.supplier_id,
        current_risk.country
    from pairs
    inner join {{ ref('supplier_risk_current') }} as current_risk using (supplier_id, country)
    where current_risk.dimension = 'overall'
)

select
    supplier_id,
    country,
    case when shown.supplier_id is null then 'missing' else 'not observed' end as problem
from observed
full join shown using (supplier_id, country)
where observed.supplier_id is null or shown.supplier_id is null
