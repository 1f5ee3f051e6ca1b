{% set before = as_of_date() ~ ' - ' ~ var('trend_days') %}

with reconsidered as (
    select * from {{ ref('int_reconsidered_mentions') }}
    where cause in ('rescoring', 'rollback')
),

pairs as (
    select distinct pair_number from reconsidered
),

findings as (
    select
        findings.*,
        findings.known_from <= {{ before }} and findings.known_until > {{ before }}
            as was_known_before,
        findings.known_from <= {{ as_of_date() }} and findings.known_until > {{ as_of_date() }}
            as is_known_today
    from {{ ref('int_findings') }} as findings
    inner join pairs using (pair_number)
    where findings.is_risk
),

-- what was known before, with the answers that re-scoring replaced; then also with rollbacks
steps (step, causes) as (
    values
    ('rescoring', array['rescoring']),
    ('rollback', array['rescoring', 'rollback'])
),

chosen as (
    select
        steps.step,
        findings.*
    from findings
    cross join steps
    left join reconsidered using (mention_id)
    where
        case
            when reconsidered.cause = any(steps.causes) then findings.is_known_today
            else findings.was_known_before
        end
),

final as (
    select * from {{ events_of('chosen', 'step') }} as events
)

select
    step,
    pair_number,
    dimension,
    event_type,
    first_seen_on,
    forgotten_on,
    credibility,
    severity,
    half_life_days
from final
