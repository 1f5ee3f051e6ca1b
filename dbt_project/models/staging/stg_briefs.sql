select
    brief_id,
    supplier_id,
    country,
    generation_id,
    response_id,
    text,
    finding_ids,
    changed_in
from {{ source('risk', 'briefs') }}
