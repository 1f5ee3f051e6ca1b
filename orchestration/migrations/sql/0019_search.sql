-- Words of documents and answers, for the search. They are taken after the texts are stored: to find
-- the words of a text takes longer than to land it. Of a text only so much is searched, as a tsvector
-- holds 1 MB.
create table ingest.document_words (
    document_id uuid primary key references ingest.documents,
    received_at timestamptz not null,
    words tsvector not null
);
create index document_words_found on ingest.document_words using gin (words);
create index document_words_by_arrival on ingest.document_words (received_at);
create index documents_by_arrival on ingest.documents (received_at, document_id);

create table llm.response_words (
    response_id bigint primary key references llm.responses,
    created_at timestamptz not null,
    words tsvector not null
);
create index response_words_found on llm.response_words using gin (words);
create index response_words_by_age on llm.response_words (created_at);

grant insert on ingest.document_words, llm.response_words to pipeline;
grant delete on llm.response_words to pipeline;
