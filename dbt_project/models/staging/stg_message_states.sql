select
    message_id,
    subscription,
    coalesce(batch_id, '(no batch)') as batch_id,
    state
from {{ source('risk', 'message_states') }}
