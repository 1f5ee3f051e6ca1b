-- What was taken back: a retraction covers rows until it is undone. Nothing is deleted.
create table risk.retractions (
    retraction_id bigint generated always as identity primary key,
    filter jsonb not null,
    reason text not null,
    made_by text not null,
    made_at timestamptz not null default now(),
    undone_by text,
    undone_at timestamptz,
    check ((undone_at is null) = (undone_by is null)),
    check (undone_at >= made_at)
);
create table risk.retracted (
    retraction_id bigint not null references risk.retractions,
    assessment_id bigint references risk.assessments,
    brief_id bigint references risk.briefs,
    check (num_nonnulls(assessment_id, brief_id) = 1),
    unique nulls not distinct (retraction_id, assessment_id, brief_id)
);
create index retracted_assessments on risk.retracted (assessment_id) where assessment_id is not null;
create index retracted_briefs on risk.retracted (brief_id) where brief_id is not null;
grant insert on risk.retractions, risk.retracted to pipeline;
grant update (undone_by, undone_at) on risk.retractions to pipeline;

-- A generation counts from the moment it went live to the moment it was discarded.
alter table risk.generations add column live_from timestamptz, add column live_until timestamptz;
update risk.generations set live_from = opened_at where status <> 'shadow';
update risk.generations set live_until = now() where status = 'discarded';

create function risk.note_status() returns trigger language plpgsql as $$
begin
    if new.status = 'live' then
        new.live_from = coalesce(new.live_from, now());
        new.live_until = null;
    elsif new.status = 'discarded' then
        new.live_until = coalesce(new.live_until, now());
    end if;
    return new;
end
$$;
create trigger note_status before insert or update of status on risk.generations
for each row execute function risk.note_status();

-- When a document stopped to count: a newer version came, or it proved to be a copy. Null again when
-- the text that it was a copy of is gone.
alter table ingest.documents add column marked_at timestamptz;
update ingest.documents set marked_at = received_at
where superseded_by is not null or duplicate_of is not null;

-- Which transaction wrote or changed a row. A reader remembers the oldest transaction that was open
-- when it looked, and asks for what changed since: nothing that commits late is missed.
create function risk.this_transaction() returns bigint language sql
as $$ select pg_current_xact_id()::text::bigint $$;
grant execute on function risk.this_transaction() to pipeline;

alter table ingest.documents add column marked_in bigint;
alter table ingest.suppliers add column changed_in bigint not null default 0;
alter table risk.mentions add column changed_in bigint not null default 0;
alter table risk.assessments add column changed_in bigint not null default 0;
alter table risk.briefs add column changed_in bigint not null default 0;
alter table risk.generations add column changed_in bigint not null default 0;
alter table risk.retractions add column changed_in bigint not null default 0;
alter table risk.retracted add column changed_in bigint not null default 0;
alter table ingest.suppliers alter column changed_in set default risk.this_transaction();
alter table risk.mentions alter column changed_in set default risk.this_transaction();
alter table risk.assessments alter column changed_in set default risk.this_transaction();
alter table risk.briefs alter column changed_in set default risk.this_transaction();
alter table risk.generations alter column changed_in set default risk.this_transaction();
alter table risk.retractions alter column changed_in set default risk.this_transaction();
alter table risk.retracted alter column changed_in set default risk.this_transaction();

create function risk.note_change() returns trigger language plpgsql as $$
begin
    new.changed_in = risk.this_transaction();
    return new;
end
$$;
create trigger note_change before update on ingest.suppliers
for each row execute function risk.note_change();
create trigger note_change before update on risk.generations
for each row execute function risk.note_change();
create trigger note_change before update on risk.retractions
for each row execute function risk.note_change();

create function ingest.note_mark() returns trigger language plpgsql as $$
begin
    new.marked_at = case
        when new.superseded_by is not null or new.duplicate_of is not null
            then coalesce(new.marked_at, now())
    end;
    new.marked_in = risk.this_transaction();
    return new;
end
$$;
create trigger note_mark before update of superseded_by, duplicate_of on ingest.documents
for each row when (
    old.superseded_by is distinct from new.superseded_by
    or old.duplicate_of is distinct from new.duplicate_of
)
execute function ingest.note_mark();

create index documents_marked on ingest.documents (marked_in) where marked_in is not null;
create index mentions_changed on risk.mentions using brin (changed_in);
create index assessments_changed on risk.assessments using brin (changed_in);
create index briefs_changed on risk.briefs using brin (changed_in);
create index assessments_by_day on risk.assessments using brin (created_at);
create index briefs_by_day on risk.briefs using brin (created_at);
create index attempts_by_day on llm.attempts using brin (started_at);

-- Small keys for what is summed up a million at a time.
alter table risk.pairs add column pair_number integer not null unique generated always as identity;

create view risk.active_retractions as
select retracted.retraction_id, retracted.assessment_id, retracted.brief_id
from risk.retracted
inner join risk.retractions using (retraction_id)
where retractions.undone_at is null;

-- The newest assessment of a mention in a live generation that no active retraction covers.
create or replace view risk.current_assessments as
select distinct on (assessments.mention_id) assessments.*
from risk.assessments
inner join risk.generations using (generation_id)
where
    generations.status = 'live'
    and not exists (
        select from risk.active_retractions as gone
        where gone.assessment_id = assessments.assessment_id
    )
order by assessments.mention_id asc, assessments.assessment_id desc;

create or replace view risk.current_mentions as
select mentions.*
from risk.mentions
inner join ingest.documents using (document_id)
where documents.superseded_by is null and documents.duplicate_of is null;

create or replace view risk.current_briefs as
select distinct on (briefs.supplier_id, briefs.country) briefs.*
from risk.briefs
inner join risk.generations using (generation_id)
where
    generations.status = 'live'
    and not exists (
        select from risk.active_retractions as gone where gone.brief_id = briefs.brief_id
    )
order by briefs.supplier_id asc, briefs.country asc, briefs.brief_id desc;

-- Marts sort and group a million rows at a time; compiling such a query costs more than it saves.
alter role transformer set work_mem = '128MB';
alter role transformer set jit = off;
