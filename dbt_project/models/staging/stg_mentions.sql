select
    mention_id,
    document_id,
    supplier_id,
    country,
    country_source
from {{ source('risk', 'current_mentions') }}
