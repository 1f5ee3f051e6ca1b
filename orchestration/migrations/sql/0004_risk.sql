-- What was concluded, and the work still to do. Assessments, findings and briefs are append-only.
create table risk.pairs (
    supplier_id text not null,
    country text not null,
    pair_id uuid not null unique default gen_random_uuid(),
    partition_key text not null unique generated always as (supplier_id || '@' || country) stored,
    first_seen_at timestamptz not null default now(),
    primary key (supplier_id, country),
    check (supplier_id ~ '^[a-z0-9][a-z0-9-]{0,62}$' and country ~ '^[A-Z]{2}$')
);

create table risk.mentions (
    mention_id uuid primary key default gen_random_uuid(),
    document_id uuid not null references ingest.documents,
    supplier_id text not null,
    country text not null,
    found_by text not null check (found_by in ('hint', 'alias', 'llm')),
    country_source text not null check (country_source in ('hint', 'sentence', 'paragraph', 'home')),
    matched_text text not null,
    created_at timestamptz not null default now(),
    unique (document_id, supplier_id, country),
    foreign key (supplier_id, country) references risk.pairs
);
create index mentions_by_pair on risk.mentions (supplier_id, country);

create table risk.generations (
    generation_id bigint generated always as identity primary key,
    kind text not null check (kind in ('stream', 'replay')),
    status text not null check (status in ('shadow', 'live', 'discarded')),
    model text not null,
    prompt_versions jsonb not null,
    opened_at timestamptz not null default now()
);

create sequence risk.fencing_tokens;
create table risk.work_items (
    item_id bigint generated always as identity primary key,
    subject_type text not null check (subject_type in ('document', 'mention', 'pair')),
    subject_id uuid not null,
    step text not null check (step in ('mentions', 'findings', 'briefs')),
    -- null for a document: which suppliers a text names depends on no generation
    generation_id bigint references risk.generations,
    state text not null default 'pending' check (state in ('pending', 'claimed', 'done', 'dead')),
    outcome text,
    detail jsonb,
    attempts integer not null default 0,
    available_at timestamptz not null default now(),
    lease_until timestamptz,
    fencing_token bigint,
    last_error_class text,
    last_error text,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    unique nulls not distinct (subject_type, subject_id, step, generation_id)
);
alter table llm.attempts add foreign key (item_id) references risk.work_items;
create index work_items_claimable
on risk.work_items (step, available_at, item_id) where state in ('pending', 'claimed');

create table risk.assessments (
    assessment_id bigint generated always as identity primary key,
    mention_id uuid not null references risk.mentions,
    generation_id bigint not null references risk.generations,
    outcome text not null check (outcome in ('risk', 'no_risk')),
    relevance real not null check (relevance between 0 and 1),
    response_id bigint not null references llm.responses,
    run_id text not null,
    created_at timestamptz not null default now(),
    unique (mention_id, generation_id)
);

create table risk.findings (
    finding_id bigint generated always as identity primary key,
    assessment_id bigint not null references risk.assessments,
    ordinal smallint not null,
    dimension text not null,
    level smallint not null check (level between 0 and 5),
    status text not null check (status in ('alleged', 'confirmed', 'resolved')),
    event_type text not null,
    event_date date,
    keywords text[] not null,
    quote text not null,
    quote_start integer,
    quote_end integer,
    quote_verified boolean not null,
    rationale text not null,
    unique (assessment_id, ordinal),
    check (quote_verified = (quote_start is not null and quote_end is not null))
);

create table risk.briefs (
    brief_id bigint generated always as identity primary key,
    supplier_id text not null,
    country text not null,
    generation_id bigint not null references risk.generations,
    response_id bigint not null references llm.responses,
    text text not null,
    finding_ids bigint[] not null,
    run_id text not null,
    created_at timestamptz not null default now(),
    foreign key (supplier_id, country) references risk.pairs
);
create index briefs_by_pair on risk.briefs (supplier_id, country, generation_id, brief_id desc);

grant insert on all tables in schema risk to pipeline;
grant usage on sequence risk.fencing_tokens to pipeline;
grant update (
    state, outcome, detail, attempts, available_at, lease_until,
    fencing_token, last_error_class, last_error, finished_at
) on risk.work_items to pipeline;
grant update (status) on risk.generations to pipeline;

-- The newest assessment of a mention in a live generation.
create view risk.current_assessments as
select distinct on (assessments.mention_id) assessments.*
from risk.assessments
inner join risk.generations using (generation_id)
where generations.status = 'live'
order by assessments.mention_id asc, assessments.assessment_id desc;

-- Work that still stands: the document of a superseded version, or a copy, needs no more calls.
create view risk.current_mentions as
select mentions.*
from risk.mentions
inner join ingest.documents using (document_id)
where documents.superseded_by is null and documents.duplicate_of is null;

-- Where each received message is. A message whose rows do not add up has no state (null): a gap.
create view risk.message_states as
with mention_progress as (
    select
        mentions.document_id,
        mentions.mention_id,
        bool_or(items.state = 'done' and assessments.assessment_id is not null) as is_done,
        bool_or(items.state in ('pending', 'claimed')) as is_open,
        bool_or(items.state = 'dead') as is_dead
    from risk.mentions
    left join risk.work_items as items
        on
            items.subject_type = 'mention'
            and items.subject_id = mentions.mention_id
            and items.step = 'findings'
            and exists (
                select from risk.generations
                where generations.generation_id = items.generation_id and generations.kind = 'stream'
            )
    left join risk.assessments
        on
            assessments.mention_id = mentions.mention_id
            and assessments.generation_id = items.generation_id
    group by mentions.document_id, mentions.mention_id
),

document_progress as (
    select
        document_id,
        count(*) as mentions,
        bool_and(is_done) as all_done,
        bool_or(is_open and not is_done) as any_open,
        bool_or(is_dead and not is_done and not is_open) as any_dead
    from mention_progress
    group by document_id
)

select
    messages.subscription,
    messages.message_id,
    messages.batch_id,
    messages.document_id,
    messages.received_at,
    case
        when messages.landed_as = 'rejection' then
            case when exists (
                select from ingest.rejections
                where
                    rejections.subscription = messages.subscription
                    and rejections.message_id = messages.message_id
            ) then 'rejected' end
        when documents.document_id is null then null
        when messages.landed_as = 'duplicate' or documents.duplicate_of is not null then 'duplicate'
        when documents.superseded_by is not null then 'superseded'
        when items.state in ('pending', 'claimed') then 'pending'
        when items.state = 'dead' then 'dead'
        when items.outcome in ('no_supplier', 'irrelevant') then items.outcome
        when items.outcome = 'mentioned' and progress.mentions = (items.detail ->> 'mentions')::integer
            then case
                when progress.any_open then 'pending'
                when progress.any_dead then 'dead'
                when progress.all_done then 'scored'
            end
    end as state
from ingest.messages
left join ingest.documents using (document_id)
left join risk.work_items as items
    on
        items.subject_type = 'document'
        and items.subject_id = messages.document_id
        and items.step = 'mentions'
left join document_progress as progress on progress.document_id = messages.document_id;
