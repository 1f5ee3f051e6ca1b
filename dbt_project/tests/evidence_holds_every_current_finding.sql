-- A join that loses findings must not stay green. Of the pairs that were built: what the pipeline
-- itself calls current, as far as the build could see it.
with refresh as (
    select * from {{ ref('int_refresh') }}
    -- another day than today knows something else than what is current now
    where as_of_date = (now() at time zone 'utc')::date
),

pairs as (
    select * from {{ ref('int_pairs_to_score') }}
    where findings_changed
),

expected as (
    select
        pairs.supplier_id,
        pairs.country,
        count(*) as findings
    from refresh
    cross join pairs
    inner join {{ source('risk', 'current_mentions') }} as mentions using (supplier_id, country)
    cross join lateral (
        select current_assessments.assessment_id
        from {{ source('risk', 'current_assessments') }} as current_assessments
        where
            current_assessments.mention_id = mentions.mention_id
            and current_assessments.changed_in < refresh.read_to
    ) as assessments
    inner join {{ source('risk', 'findings') }} as findings using (assessment_id)
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
