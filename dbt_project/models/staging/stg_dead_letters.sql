select
    dead_letter_id,
    step,
    reason,
    last_error,
    attempts,
    document_id,
    title,
    supplier_id,
    country,
    coalesce(batch_id, '(no batch)') as batch_id,
    dead_since
from {{ source('risk', 'dead_letters') }}
where state = 'open'
