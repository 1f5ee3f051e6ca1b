-- The supplier master, the pairs, the prompts and the two generations that the news are read in.
create temporary table size as
select
    %(findings)s::integer as findings,
    %(findings)s::integer / 100 as pairs,
    %(findings)s::integer / 200 as suppliers,
    %(as_of)s::date::timestamp at time zone 'UTC' as today,
    %(as_of)s::date::timestamp at time zone 'UTC' - interval '731 days' as begin,
    -- when the newer generation went live
    %(as_of)s::date::timestamp at time zone 'UTC' - interval '60 days' as switched_at;

insert into ingest.suppliers (
    supplier_id, version, name, aliases, home_country, category, tier, annual_spend_usd, loaded_at
)
select
    'supplier-' || number,
    1,
    'Supplier ' || number,
    array['S' || number],
    pg_temp.country(number, 0),
    (
        array[
            'chemicals', 'electronics', 'food_products', 'logistics', 'machinery', 'metals',
            'packaging', 'textiles'
        ]
    )[1 + pg_temp.pick(number, 'category', 8)],
    case
        when pg_temp.chance(number, 'tier known') < 0.9 then 1 + pg_temp.pick(number, 'tier', 3)
    end,
    case
        when pg_temp.chance(number, 'spend known') < 0.8
            then round(exp(8 + 9 * pg_temp.chance(number, 'spend'))::numeric, 2)
    end,
    size.begin
from size, generate_series(1, size.suppliers) as number
order by number;

-- Every supplier in two countries. The pair's number says how often it is in the news.
insert into risk.pairs (supplier_id, country, pair_id, first_seen_at)
select
    'supplier-' || 1 + (number - 1) %% size.suppliers,
    pg_temp.country(1 + (number - 1) %% size.suppliers, (number - 1) / size.suppliers),
    pg_temp.id('pair', number),
    size.begin
from size, generate_series(1, size.pairs) as number
order by number;

insert into llm.prompts (
    prompt_version, step, system_text, user_template, reply_schema, created_at
)
select version, step, 'Report the facts.', '{document}', '{}', size.begin
from
    size,
    (
        values
        ('supplier_mentions-bench', 'supplier_mentions'),
        ('risk_findings-bench-1', 'risk_findings'),
        ('risk_findings-bench-2', 'risk_findings'),
        ('risk_briefs-bench', 'risk_briefs')
    ) as prompts (version, step);

insert into risk.generations (
    kind, status, model, prompt_versions, opened_at, live_from
)
select
    'stream',
    'live',
    'bench-model-' || number,
    jsonb_build_object(
        'supplier_mentions', 'supplier_mentions-bench',
        'risk_findings', 'risk_findings-bench-' || number,
        'risk_briefs', 'risk_briefs-bench'
    ),
    case number when 1 then size.begin else size.switched_at end,
    case number when 1 then size.begin else size.switched_at end
from size, generate_series(1, 2) as number
order by number;
