-- A pair of which there is nothing to tell any more says so: its newest brief has no text, no call
-- and no finding.
alter table risk.briefs
alter column response_id drop not null,
alter column text drop not null,
add check (
    (text is null) = (response_id is null) and (text is null) = (finding_ids = '{}')
);

-- The newest brief of a pair in a live generation; without a text there is nothing to tell.
create view risk.current_briefs as
select distinct on (briefs.supplier_id, briefs.country) briefs.*
from risk.briefs
inner join risk.generations using (generation_id)
where generations.status = 'live'
order by briefs.supplier_id asc, briefs.country asc, briefs.brief_id desc;

-- Suppliers as an analyst should look at them: rank 1 has the most critical documents, then the
-- most of high urgency, then the newest of these.
create view risk.urgent_suppliers as
with counted as (
    select
        supplier_id,
        count(distinct document_id) filter (where urgency = 'critical') as critical_documents,
        count(distinct document_id) filter (where urgency = 'high') as high_documents,
        array_agg(distinct country order by country) as countries,
        max(published_at) as newest_published_at
    from risk.urgent_documents
    group by supplier_id
)

select
    rank() over (
        order by
            counted.critical_documents desc, counted.high_documents desc,
            counted.newest_published_at desc nulls last
    ) as urgency_rank,
    counted.supplier_id,
    coalesce(suppliers.name, counted.supplier_id) as supplier_name,
    counted.critical_documents,
    counted.high_documents,
    counted.countries,
    counted.newest_published_at
from counted
left join ingest.suppliers
    on counted.supplier_id = suppliers.supplier_id and suppliers.replaced_at is null;

-- An endpoint that asks one run to wait asks all of them.
alter table llm.rates add column not_before timestamptz not null default '-infinity';
