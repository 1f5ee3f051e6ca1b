-- What the LLM says of a mention: how relevant and how urgent. Null where nobody asked it.
alter table risk.mentions
add column relevance real check (relevance between 0 and 1),
add column urgency text check (urgency in ('low', 'normal', 'high', 'critical')),
add column response_id bigint references llm.responses,
add check (num_nulls(relevance, urgency, response_id) in (0, 3)),
drop constraint mentions_country_source_check,
add constraint mentions_country_source_check check (
    country_source in ('hint', 'sentence', 'city', 'paragraph', 'home', 'llm')
);

-- The most urgent work is claimed first: 0 is critical, 3 is low.
alter table risk.work_items add column priority smallint not null default 2
check (priority between 0 and 3);
drop index risk.work_items_claimable;
create index work_items_claimable
on risk.work_items (step, priority, available_at, item_id) where state in ('pending', 'claimed');

-- What a text named when it was first read. Not all of it need be a mention: some is irrelevant.
alter table ingest.signatures add column pairs jsonb not null default '[]';
update ingest.signatures set pairs = named.pairs
from (
    select document_id, jsonb_agg(jsonb_build_array(supplier_id, country)) as pairs
    from risk.mentions
    group by document_id
) as named
where signatures.document_id = named.document_id;
alter table ingest.signatures alter column pairs drop default;

-- Companies that documents name as affected, and that the supplier master lacks.
create table risk.supplier_candidates (
    document_id uuid not null references ingest.documents,
    normalised_name text not null check (normalised_name <> ''),
    name text not null,
    country text check (country ~ '^[A-Z]{2}$'),
    response_id bigint not null references llm.responses,
    first_seen_at timestamptz not null default now(),
    primary key (document_id, normalised_name)
);
create index supplier_candidates_by_name on risk.supplier_candidates (normalised_name);
grant insert on risk.supplier_candidates to pipeline;

create or replace view risk.current_mentions as
select mentions.*
from risk.mentions
inner join ingest.documents using (document_id)
where documents.superseded_by is null and documents.duplicate_of is null;

-- What an analyst should see first.
create view risk.urgent_documents as
select
    mentions.document_id,
    mentions.supplier_id,
    mentions.country,
    mentions.urgency,
    mentions.relevance,
    documents.title,
    documents.url,
    documents.published_at,
    mentions.created_at
from risk.current_mentions as mentions
inner join ingest.documents using (document_id)
where mentions.urgency in ('critical', 'high');
