select
    message_id,
    subscription,
    {{ batch_name('batch_id', 'received_at') }} as batch_id,
    state
from {{ source('risk', 'message_states') }}
