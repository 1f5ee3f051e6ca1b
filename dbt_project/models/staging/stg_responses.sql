select
    response_id,
    attempt_id
from {{ source('llm', 'responses') }}
