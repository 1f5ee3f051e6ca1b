{{ config(materialized='table', post_hook='analyze {{ this }}') }}

select
    mentions.base_generation_id,
    mentions.generation_id,
    side.side,
    mentions.pair_number,
    mentions.mention_id,
    findings.document_id,
    findings.finding_id,
    findings.dimension,
    findings.level,
    findings.event_type,
    findings.event_on,
    findings.quote_begin,
    findings.publisher,
    findings.score,
    findings.credibility
from {{ ref('int_compared_mentions') }} as mentions
cross join
    lateral (
        values ('base', mentions.base_assessment_id), ('newer', mentions.assessment_id)
    ) as side (side, assessment_id)
inner join {{ ref('int_graded_findings') }} as findings
    on side.assessment_id = findings.assessment_id
where findings.is_risk
