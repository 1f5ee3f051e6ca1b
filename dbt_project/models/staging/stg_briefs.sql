select
    briefs.brief_id,
    briefs.supplier_id,
    briefs.country,
    briefs.generation_id,
    briefs.response_id,
    briefs.run_id,
    briefs.text,
    briefs.finding_ids,
    briefs.created_at,
    (briefs.created_at at time zone 'utc')::date as created_on,
    'risk_briefs'::text as step,
    generations.model,
    generations.prompt_versions ->> 'risk_briefs' as prompt_version,
    (generations.live_from at time zone 'utc')::date as live_from,
    (generations.live_until at time zone 'utc')::date as live_until,
    briefs.changed_in
from {{ source('risk', 'briefs') }} as briefs
inner join {{ source('risk', 'generations') }} as generations using (generation_id)
