-- What was taken back, once for good and once by mistake; and what the days spent, which triggers
-- would have booked.
insert into risk.retractions (filter, reason, made_by, made_at, undone_by, undone_at)
select
    jsonb_build_object('run', which),
    'the answers were wrong',
    'bench',
    today - make_interval(days => days),
    case when undone_after is not null then 'bench' end,
    today - make_interval(days => days - undone_after)
from size, (values ('some', 20, null), ('others', 40, 2)) as made (which, days, undone_after)
order by which desc;

insert into risk.retracted (retraction_id, assessment_id)
select retractions.retraction_id, assessments.assessment_id
from risk.retractions
inner join risk.assessments
    on
        assessments.created_at < retractions.made_at
        and assessments.assessment_id %% 250 = retractions.retraction_id;

insert into llm.budget (scope, period, settled_usd)
select periods.scope, periods.period, sum(attempts.settled_usd)
from llm.attempts
cross join lateral (
    values
    ('day', to_char(attempts.started_at at time zone 'UTC', 'YYYY-MM-DD')),
    ('run', attempts.run_id)
) as periods (scope, period)
group by periods.scope, periods.period
order by periods.scope, periods.period;
