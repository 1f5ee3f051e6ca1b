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
    ) as moved_days,
    -- a copy and an outdated version stop to count on the day that this was noticed
    case
        when duplicate_of is not null or superseded_by is not null
            then (coalesce(marked_at, received_at) at time zone 'utc')::date
    end as ended_on,
    marked_in
from {{ source('ingest', 'documents') }}
