select
    mention_id,
    document_id,
    supplier_id,
    country,
    country_source,
    (created_at at time zone 'utc')::date as mentioned_on,
    changed_in
from {{ source('risk', 'mentions') }}
