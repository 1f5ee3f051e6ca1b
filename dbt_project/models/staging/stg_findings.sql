select
    finding_id,
    assessment_id,
    dimension,
    level,
    status,
    event_type,
    event_date,
    keywords,
    quote,
    quote_start,
    quote_end,
    quote_verified,
    rationale
from {{ source('risk', 'findings') }}
