-- Words of documents and answers. Only so much of a text is searched: a tsvector holds 1 MB.
alter table ingest.documents add column searchable tsvector generated always as (
    setweight(to_tsvector('english', left(title, 1000)), 'A')
    || setweight(to_tsvector('english', left(body, 100000)), 'B')
) stored;
create index documents_searchable on ingest.documents using gin (searchable);
-- Of what matches a frequent word the newest are ranked.
create index documents_by_arrival on ingest.documents (received_at);

-- Of an answer the words, not the names of its fields.
alter table llm.responses add column searchable tsvector generated always as (
    to_tsvector('english', regexp_replace(left(answer, 100000), '"[a-z_]+":', ' ', 'g'))
) stored;
create index responses_searchable on llm.responses using gin (searchable);
