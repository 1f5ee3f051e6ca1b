select
    document_id,
    source,
    publisher,
    title,
    url,
    published_at,
    original_published_at,
    (received_at at time zone 'utc')::date as received_on,
    (coalesce(published_at, received_at) at time zone 'utc')::date as dated_on,
    coalesce(
        (published_at at time zone 'utc')::date
        - (original_published_at at time zone 'utc')::date,
        0
    ) as moved_days
from {{ source('ingest', 'documents') }}
where duplicate_of is null and superseded_by is null
