-- What came in. Messages and documents are written once; only marks on them change.
create table ingest.documents (
    document_id uuid primary key,
    source text not null,
    external_id text not null,
    version integer not null check (version >= 1),
    title text not null,
    body text not null,
    publisher text not null,
    url text,
    language text,
    published_at timestamptz,
    original_published_at timestamptz,
    received_at timestamptz not null default now(),
    content_sha256 bytea not null,
    supplier_hints jsonb not null default '[]',
    duplicate_of uuid references ingest.documents deferrable initially deferred,
    superseded_by uuid references ingest.documents deferrable initially deferred,
    unique (source, external_id, version)
);
create unique index documents_one_current_version
on ingest.documents (source, external_id) where superseded_by is null;
create unique index documents_one_original
on ingest.documents (content_sha256) where duplicate_of is null and superseded_by is null;

create table ingest.messages (
    subscription text not null,
    message_id text not null,
    sequence bigint generated always as identity,
    landed_as text not null check (landed_as in ('document', 'duplicate', 'rejection')),
    document_id uuid references ingest.documents,
    data_sha256 bytea not null,
    batch_id text,
    ordering_key text,
    publish_time timestamptz not null,
    received_at timestamptz not null default now(),
    delivery_count integer not null default 1,
    primary key (subscription, message_id),
    check ((landed_as = 'rejection') = (document_id is null))
);
create index messages_by_document on ingest.messages (document_id);
create index messages_by_batch on ingest.messages (batch_id);

create table ingest.rejections (
    rejection_id bigint generated always as identity primary key,
    subscription text not null,
    message_id text not null,
    reason text not null,
    detail text not null,
    data bytea not null,
    data_sha256 bytea not null,
    attributes json not null,
    state text not null default 'open' check (state in ('open', 'redriven', 'dropped')),
    received_at timestamptz not null default now(),
    unique (subscription, message_id, data_sha256),
    foreign key (subscription, message_id) references ingest.messages
);

create table ingest.suppliers (
    supplier_id text not null check (supplier_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    version integer not null,
    name text not null,
    aliases text[] not null,
    home_country text not null check (home_country ~ '^[A-Z]{2}$'),
    category text,
    tier smallint,
    annual_spend_usd numeric,
    loaded_at timestamptz not null default now(),
    replaced_at timestamptz,
    primary key (supplier_id, version)
);
create unique index suppliers_one_current on ingest.suppliers (supplier_id) where replaced_at is null;

grant insert on all tables in schema ingest to pipeline;
grant update (superseded_by) on ingest.documents to pipeline;
grant update (delivery_count) on ingest.messages to pipeline;
grant update (state) on ingest.rejections to pipeline;
grant update (replaced_at) on ingest.suppliers to pipeline;
