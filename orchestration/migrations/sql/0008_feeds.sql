-- What is polled: how each source of feeds stands, and which entries of it were published.
create table ingest.feeds (
    source text primary key,
    url text not null,
    etag text,
    last_modified text,
    polled_at timestamptz not null,
    next_poll_at timestamptz not null,
    failures integer not null check (failures >= 0),
    last_error text
);

create table ingest.feed_entries (
    source text not null references ingest.feeds,
    external_id text not null,
    version integer not null check (version >= 1),
    content_sha256 bytea not null,
    published_at timestamptz not null,
    primary key (source, external_id)
);

grant insert on ingest.feeds, ingest.feed_entries to pipeline;
grant update (url, etag, last_modified, polled_at, next_poll_at, failures, last_error)
on ingest.feeds to pipeline;
grant update (version, content_sha256, published_at) on ingest.feed_entries to pipeline;
