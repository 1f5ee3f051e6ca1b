select
    assessments.assessment_id,
    assessments.run_id,
    assessments.response_ids,
    assessments.created_at,
    (assessments.created_at at time zone 'utc')::date as created_on,
    'risk_findings' as step,
    generations.model,
    generations.prompt_versions ->> 'risk_findings' as prompt_version
from {{ source('risk', 'assessments') }} as assessments
inner join {{ source('risk', 'generations') }} as generations using (generation_id)
