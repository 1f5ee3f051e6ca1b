{{ config(meta={'dagster': {'ref': {'name': 'risk_evidence'}}}) }}

-- A join that loses findings must not stay green. Of the pairs that were built, what the pipeline
-- itself calls current, as far as the build could see it.
with refresh as (
    select * from {{ ref('int_refresh') }}
    -- another day than today knows something else than what is current now
    where as_of_date = (now() at time zone 'utc')::date
),

pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

expected as (
    select
        pairs.supplier_id,
        pairs.country,
        count(*) as findings
    from refresh
    cross join pairs
    inner join {{ source('risk', 'current_mentions') }} as current_mentions
        using (supplier_id, country)
    inner join {{ source('risk', 'current_assessments') }} as assessments using (mention_id)
    inner join {{ source('risk', 'findings') }} using (assessment_id)
    -- what changed while the build went on is the next one's
    where
        assessments.changed_in < refresh.read_to
        and not exists (
            select from {{ ref('stg_retractions') }} as retractions
            inner join {{ ref('stg_assessments') }} using (assessment_id)
            where
                stg_assessments.mention_id = current_mentions.mention_id
                and retractions.changed_in >= refresh.read_to
        )
    group by pairs.supplier_id, pairs.country
),

shown as (
    select
        evidence.supplier_id,
        evidence.country,
        count(*) as findings
    from {{ ref('risk_evidence') }} as evidence
    inner join pairs using (supplier_id, country)
    group by evidence.supplier_id, evidence.country
)

select
    expected.supplier_id,
    expected.country,
    expected.findings,
    shown.findings as shown
from expected
left join shown using (supplier_id, country)
where expected.findings > coalesce(shown.findings, 0)
