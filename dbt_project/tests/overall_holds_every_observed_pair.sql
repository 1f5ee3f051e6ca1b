{{ config(meta={'dagster': {'ref': {'name': 'supplier_risk_current'}}}) }}

-- Every pair that a current document mentions is shown, with a score or as "no signal".
with observed as (
    select distinct
        pairs.supplier_id,
        pairs.country
    from {{ ref('int_pairs_to_score') }} as pairs
    inner join {{ ref('stg_mentions') }} as mentions using (supplier_id, country)
    inner join {{ ref('stg_documents') }} as documents using (document_id)
    cross join {{ ref('int_refresh') }} as refresh
    where
        mentions.mentioned_on <= {{ as_of_date() }}
        and coalesce(documents.ended_on > {{ as_of_date() }}, true)
        and mentions.changed_in < refresh.read_to
        and coalesce(documents.marked_in < refresh.read_to, true)
)

select observed.*
from observed
left join {{ ref('supplier_risk_current') }} as shown
    on
        observed.supplier_id = shown.supplier_id
        and observed.country = shown.country
        and shown.dimension = 'overall'
where shown.supplier_id is null
