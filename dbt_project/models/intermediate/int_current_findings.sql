-- No `with` here: PostgreSQL plans a view that has one by itself, so a refresh would read it whole.
select
    findings.finding_id,
    findings.pair_number,
    pairs.supplier_id,
    pairs.country,
    mentions.country_source,
    findings.dimension,
    findings.level,
    findings.status,
    findings.event_type,
    findings.event_on,
    answers.keywords,
    answers.quote,
    answers.quote_start,
    answers.quote_end,
    answers.quote_verified,
    answers.rationale,
    findings.document_id,
    findings.publisher,
    findings.publisher_class,
    findings.assessment_id,
    assessments.response_id,
    assessments.model,
    assessments.prompt_version,
    findings.score,
    findings.credibility,
    findings.is_risk
from {{ ref('int_findings') }} as findings
inner join {{ ref('stg_findings') }} as answers using (finding_id)
inner join {{ ref('stg_pairs') }} as pairs using (pair_number)
inner join {{ ref('stg_mentions') }} as mentions using (mention_id)
inner join {{ ref('stg_assessments') }} as assessments
    on findings.assessment_id = assessments.assessment_id
where
    findings.known_from <= {{ as_of_date() }}
    and findings.known_until > {{ as_of_date() }}
