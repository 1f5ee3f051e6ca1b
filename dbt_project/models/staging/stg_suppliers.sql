select
    supplier_id,
    name as supplier_name,
    category as supplier_category,
    tier as supplier_tier,
    annual_spend_usd::numeric(20, 2) as annual_spend_usd
from {{ source('ingest', 'suppliers') }}
where replaced_at is null
