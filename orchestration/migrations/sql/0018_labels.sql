-- What a person says of one finding, or of an assessment that missed something. Rows are only added;
-- of each person the newest counts.
create table risk.labels (
    label_id bigint generated always as identity primary key,
    finding_id bigint references risk.findings,
    assessment_id bigint references risk.assessments,
    verdict text not null check (verdict in ('agree', 'disagree')),
    corrected_level smallint check (corrected_level between 0 and 5),
    note text,
    made_by text not null,
    made_at timestamptz not null default now(),
    check (num_nonnulls(finding_id, assessment_id) = 1),
    check (corrected_level is null or (verdict = 'disagree' and finding_id is not null))
);
create index labels_by_finding on risk.labels (finding_id) where finding_id is not null;
create index labels_by_assessment on risk.labels (assessment_id) where assessment_id is not null;
grant insert on risk.labels to pipeline;

create view risk.current_labels as
select distinct on (finding_id, assessment_id, made_by) *
from risk.labels
order by finding_id asc, assessment_id asc, made_by asc, label_id desc;

-- How far people agree with what a generation said.
create view risk.agreement as
select
    generations.generation_id,
    generations.model,
    generations.prompt_versions ->> 'risk_findings' as prompt_version,
    count(*) as labels,
    count(*) filter (where labels.verdict = 'agree') as agreed
from risk.current_labels as labels
left join risk.findings using (finding_id)
inner join risk.assessments
    on assessments.assessment_id = coalesce(labels.assessment_id, findings.assessment_id)
inner join risk.generations using (generation_id)
group by generations.generation_id;
