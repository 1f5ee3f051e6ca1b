with findings as (
    select * from {{ ref('int_findings') }}
    where known_from <= {{ as_of_date() }} and known_until > {{ as_of_date() }}
),

answers as (
    select * from {{ ref('stg_findings') }}
),

pairs as (
    select * from {{ ref('stg_pairs') }}
),

mentions as (
    select * from {{ ref('stg_mentions') }}
),

assessments as (
    select * from {{ ref('stg_assessments') }}
),

final as (
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
    from findings
    inner join answers using (finding_id)
    inner join pairs using (pair_number)
    inner join mentions using (mention_id)
    inner join assessments on findings.assessment_id = assessments.assessment_id
)

select * from final
