select
    assessments.assessment_id,
    assessments.mention_id,
    assessments.outcome,
    assessments.relevance,
    assessments.response_id,
    assessments.generation_id,
    generations.model,
    generations.prompt_versions ->> 'risk_findings' as prompt_version
from {{ source('risk', 'current_assessments') }} as assessments
inner join {{ source('risk', 'generations') }} as generations using (generation_id)
