{{ config(meta={'dagster': {'ref': {'name': 'risk_evidence'}}}) }}

-- Of the pairs that were built, the evidence is what the pipeline itself calls current: a join that
-- loses findings, or keeps what was taken back, must not stay green.
with pairs as (
    select * from {{ ref('int_settled_pairs') }}
    -- another day than today knows something else than what is current now
    where {{ as_of_date() }} = (now() at time zone 'utc')::date
),

-- asked one by one, as the whole view is large and few pairs are asked for
answers as (
    select
        (
            select current_assessments.assessment_id
            from {{ source('risk', 'current_assessments') }} as current_assessments
            where current_assessments.mention_id = mentions.mention_id
        ) as assessment_id
    from pairs
    inner join {{ source('risk', 'current_mentions') }} as mentions using (supplier_id, country)
),

expected as (
    select finding_id
    from answers
    inner join {{ source('risk', 'findings') }} using (assessment_id)
),

shown as (
    select evidence.finding_id
    from pairs
    inner join {{ ref('risk_evidence') }} as evidence using (supplier_id, country)
)

select
    finding_id,
    case when shown.finding_id is null then 'missing' else 'not current' end as problem
from expected
full join shown using (finding_id)
where expected.finding_id is null or shown.finding_id is null
