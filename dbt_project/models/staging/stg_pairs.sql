select
    pair_number,
    supplier_id,
    country
from {{ source('risk', 'pairs') }}
