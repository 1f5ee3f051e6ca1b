-- Refused bytes are kept once, however often they come.
create table ingest.payloads (
    data_sha256 bytea primary key,
    data bytea not null
);
insert into ingest.payloads (data_sha256, data)
select distinct on (data_sha256) data_sha256, data
from ingest.rejections;
alter table ingest.rejections drop column data;
alter table ingest.rejections add foreign key (data_sha256) references ingest.payloads;
grant insert on ingest.payloads to pipeline;

-- Whether bytes came before, under whatever message id.
create index messages_by_data on ingest.messages using hash (data_sha256);

-- Dead documents that were published to the dead-letter topic; again when they died again.
create table risk.dead_letter_messages (
    topic text not null,
    message_id text not null,
    item_id bigint not null references risk.work_items,
    published_at timestamptz not null default now(),
    primary key (topic, message_id)
);
create index dead_letter_messages_by_item on risk.dead_letter_messages (item_id);
grant insert, update on risk.dead_letter_messages to pipeline;
create index work_items_dead on risk.work_items (item_id) where state = 'dead';

-- A tick and a claim look at what is due, however much waits for later.
create index work_items_due
on risk.work_items (available_at) where state in ('pending', 'claimed');
create index work_items_leased
on risk.work_items (step, available_at) where state = 'claimed';

-- Pairs whose findings or brief changed since Dagster last heard of them.
create sequence risk.pair_changes;
create table risk.unreported_pairs (
    pair_id uuid primary key references risk.pairs (pair_id),
    change bigint not null default nextval('risk.pair_changes'),
    changed_at timestamptz not null default clock_timestamp()
);
grant insert, update, delete on risk.unreported_pairs to pipeline;
grant usage on sequence risk.pair_changes to pipeline;

-- Endpoints that refuse every call: while a row stands, no run is requested before its trial.
create table llm.open_circuits (
    base_url text not null,
    model text not null,
    reason text not null,
    opened_at timestamptz not null default now(),
    failures integer not null default 1,
    trial_at timestamptz not null,
    primary key (base_url, model)
);
grant insert, update, delete on llm.open_circuits to pipeline;

-- What the pipeline gave up on, in one list: refused messages, and work that failed for good.
create view risk.dead_letters as
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
    );
