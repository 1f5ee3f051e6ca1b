-- An assessment of a long document rests on several answers, one for each part; the first one is
-- also its response_id.
alter table risk.assessments add column response_ids bigint[];
update risk.assessments set response_ids = array[response_id];
alter table risk.assessments
alter column response_ids set not null,
add check (response_ids[1] = response_id);
