-- The news of the last day, about 250 pairs of all sizes whatever the size of the world.
create temporary table totals as
select
    (select max(sequence) from ingest.messages) as news_before,
    (select count(*) from risk.pairs)::integer as pairs,
    (
        select max(generation_id) from risk.generations where kind = 'stream' and status = 'live'
    ) as generation_id,
    pg_temp.readings(%(findings)s) as mentions,
    greatest(
        %(as_of)s::date::timestamp at time zone 'UTC' + interval '9 hours',
        (select max(received_at) from ingest.messages) + interval '10 minutes'
    ) as begin;

create temporary table named as
with numbered as (
    select
        number,
        (number - 1) %% 3 = 2 as is_second,
        pg_temp.document_of(number) as document,
        number * 101 %% 250 as slot
    from totals, generate_series(1, mentions) as number
)

select
    (news_before + document) * 2 + is_second::integer as mention,
    number,
    news_before + document as news_number,
    74 as burst,
    begin + make_interval(secs => document) + interval '1 minute' as created_at,
    1 + case
        when slot < 10 then slot * greatest(pairs / 100, 1) / 10
        when slot < 70 then (slot - 10) * (pairs / 5) / 60
        else (slot - 70) * pairs / 180
    end as pair_number
from numbered, totals;

create temporary table news as
select distinct
    news_number as number,
    'mentioned' as kind,
    news_number as text_number,
    null::bigint as superseded_by,
    null::bigint as supersedes,
    null::timestamptz as superseded_at,
    created_at - interval '1 minute' as received_at
from named;

create temporary table answered as
select
    number,
    mention * 2 as reading,
    mention,
    news_number,
    pair_number,
    burst,
    generation_id,
    created_at + interval '2 minutes' as read_at
from named
cross join (select generation_id from totals) as newest;
