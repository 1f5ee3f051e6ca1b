select
    assessments.assessment_id,
    assessments.mention_id,
    assessments.outcome,
    assessments.relevance,
    assessments.response_id,
    assessments.response_ids,
    assessments.run_id,
    assessments.created_at,
    assessments.generation_id,
    generations.model,
    generations.prompt_versions ->> 'risk_findings' as prompt_version,
    (assessments.created_at at time zone 'utc')::date as assessed_on,
    -- one that waited in the shadow counts from the day that its generation went live
    case
        when generations.live_from > assessments.created_at
            then (generations.live_from at time zone 'utc')::date
    end as promoted_on,
    (generations.live_until at time zone 'utc')::date as discarded_on,
    generations.live_from is not null as was_ever_live,
    assessments.changed_in
from {{ source('risk', 'assessments') }} as assessments
inner join {{ source('risk', 'generations') }} as generations using (generation_id)
