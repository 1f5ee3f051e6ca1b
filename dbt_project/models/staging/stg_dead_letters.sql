with dead_letters as (
    select
        dead_letters.*,
        -- a message is refused when it comes
        case
            when dead_letters.step = 'landing' then dead_letters.dead_since
            else documents.received_at
        end as received_at
    from {{ source('risk', 'dead_letters') }} as dead_letters
    left join {{ source('ingest', 'documents') }} as documents using (document_id)
    where dead_letters.state = 'open'
)

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
    {{ batch_name('batch_id', 'received_at') }} as batch_id,
    dead_since
from dead_letters
