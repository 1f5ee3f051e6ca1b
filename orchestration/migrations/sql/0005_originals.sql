-- The original of a text can be superseded while copies of it stand: one of them takes its place.
create index documents_by_original on ingest.documents (duplicate_of) where duplicate_of is not null;
grant update (duplicate_of) on ingest.documents to pipeline;

-- Texts that lost their original before: the oldest copy becomes it and is queued.
with oldest as (
    select distinct on (documents.content_sha256) documents.document_id
    from ingest.documents
    where documents.superseded_by is null
    order by
        documents.content_sha256 asc,
        -- an original that stands is the first of its text, whatever its age
        documents.duplicate_of is null desc,
        documents.received_at asc,
        documents.document_id asc
),

promoted as (
    update ingest.documents set duplicate_of = null
    from oldest
    where documents.document_id = oldest.document_id and documents.duplicate_of is not null
    returning documents.document_id
)

insert into risk.work_items (subject_type, subject_id, step)
select 'document', document_id, 'mentions' from promoted;

update ingest.documents set duplicate_of = originals.document_id
from ingest.documents as originals
where
    originals.content_sha256 = documents.content_sha256
    and originals.superseded_by is null
    and originals.duplicate_of is null
    and documents.superseded_by is null
    and documents.duplicate_of <> originals.document_id;
