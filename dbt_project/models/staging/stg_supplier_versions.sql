select
    supplier_id,
    version,
    changed_in
from {{ source('ingest', 'suppliers') }}
