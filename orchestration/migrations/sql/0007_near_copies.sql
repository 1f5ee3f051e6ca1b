-- How to find texts that are nearly the same: MinHash signatures, and hashes of their bands. Texts
-- that share a band are compared.
create table ingest.signatures (
    document_id uuid primary key references ingest.documents,
    signature bytea not null,
    bands bigint[] not null
);
create index signatures_by_band on ingest.signatures using gin (bands);
grant insert on ingest.signatures to pipeline;
