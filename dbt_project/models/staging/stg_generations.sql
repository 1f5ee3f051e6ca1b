select
    generation_id,
    model,
    prompt_versions ->> 'risk_findings' as prompt_version,
    (live_from at time zone 'utc')::date as live_from_on,
    (live_until at time zone 'utc')::date as live_until_on,
    changed_in
from {{ source('risk', 'generations') }}
