-- A replay is a generation that a person asked for: of which documents, why, whether the cache may
-- answer, and what was decided about it.
alter table risk.generations
add column scope jsonb,
add column reason text,
add column opened_by text,
add column is_fresh boolean not null default false,
add column decided_by text,
add column decision text;
grant update (decided_by, decision) on risk.generations to pipeline;
create index work_items_by_generation
on risk.work_items (generation_id, state) where state <> 'done';

-- Current, if this generation were live: what a replay's briefs are made of before it is promoted.
create function risk.assessments_with(generation bigint) returns setof risk.assessments
language sql stable
as $$
    select distinct on (assessments.mention_id) assessments.*
    from risk.assessments
    inner join risk.generations using (generation_id)
    where
        (generations.status = 'live' or generations.generation_id = generation)
        and not exists (
            select from risk.active_retractions as gone
            where gone.assessment_id = assessments.assessment_id
        )
    order by assessments.mention_id asc, assessments.assessment_id desc
$$;

create function risk.briefs_with(generation bigint) returns setof risk.briefs
language sql stable
as $$
    select distinct on (briefs.supplier_id, briefs.country) briefs.*
    from risk.briefs
    inner join risk.generations using (generation_id)
    where
        (generations.status = 'live' or generations.generation_id = generation)
        and not exists (
            select from risk.active_retractions as gone where gone.brief_id = briefs.brief_id
        )
    order by briefs.supplier_id asc, briefs.country asc, briefs.brief_id desc
$$;
grant execute on function risk.assessments_with(bigint), risk.briefs_with(bigint) to pipeline;

-- Pairs that a person changed are reported at once, with the reason.
alter table risk.unreported_pairs add column reason text;
create index unreported_pairs_with_reason
on risk.unreported_pairs (change) where reason is not null;

-- What was done in a shadow leaves a dead letter what it is.
create or replace view risk.dead_letters as
select
    'message-' || rejections.rejection_id as dead_letter_id,
    null::bigint as item_id,
    'landing' as step,
    rejections.reason,
    rejections.detail as last_error,
    messages.delivery_count as attempts,
    rejections.state,
    null::uuid as document_id,
    null::text as title,
    null::text as supplier_id,
    null::text as country,
    messages.batch_id,
    rejections.received_at as dead_since
from ingest.rejections
inner join ingest.messages using (subscription, message_id)
union all
select
    'item-' || items.item_id as dead_letter_id,
    items.item_id,
    items.step,
    coalesce(items.last_error_class, 'unknown') as reason,
    items.last_error,
    items.attempts,
    case when items.outcome = 'dropped' then 'dropped' else 'open' end as state,
    documents.document_id,
    documents.title,
    coalesce(mentions.supplier_id, pairs.supplier_id) as supplier_id,
    coalesce(mentions.country, pairs.country) as country,
    (
        select messages.batch_id from ingest.messages
        where messages.document_id = documents.document_id
        order by messages.sequence
        limit 1
    ) as batch_id,
    items.finished_at as dead_since
from risk.work_items as items
left join risk.mentions on items.subject_type = 'mention' and items.subject_id = mentions.mention_id
left join risk.pairs on items.subject_type = 'pair' and items.subject_id = pairs.pair_id
left join ingest.documents
    on coalesce(mentions.document_id, items.subject_id) = documents.document_id
where
    items.state = 'dead'
    -- a replay tells of its own failures
    and not exists (
        select from risk.generations
        where generations.generation_id = items.generation_id and generations.kind = 'replay'
    )
    -- of an outdated version nobody needs to be told, nor of what was done in a newer generation
    and documents.superseded_by is null and documents.duplicate_of is null
    and not exists (
        select from risk.work_items as newer
        where
            newer.subject_type = items.subject_type
            and newer.subject_id = items.subject_id
            and newer.step = items.step
            and newer.generation_id > items.generation_id
            and newer.state = 'done' and newer.outcome <> 'moved'
            and exists (
                select from risk.generations
                where
                    generations.generation_id = newer.generation_id
                    and generations.status = 'live'
            )
    );
