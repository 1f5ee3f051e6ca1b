{{ config(meta={'dagster': {'ref': {'name': 'risk_evidence'}}}) }}

-- A join that loses findings (an unknown status, dimension or publisher class) must not stay green.
with counted as (
    select
        (
            select count(*)
            from {{ source('risk', 'findings') }}
            inner join {{ ref('stg_assessments') }} using (assessment_id)
            inner join {{ ref('stg_mentions') }} using (mention_id)
        ) as findings,
        (select count(*) from {{ ref('risk_evidence') }}) as evidence
)

select * from counted
where findings <> evidence
