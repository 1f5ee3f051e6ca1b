-- Two years of news, who is named in them, and who read it when. Of a hundred messages 96 name a
-- supplier; three of a hundred readings are second ones, in the newer generation.
create temporary table totals as
select
    readings,
    readings - readings * 3 / 100 as mentions,
    readings * 3 / 100 as second_readings
from (select pg_temp.readings(findings) as readings from size) as first_and_second;

create temporary table news as
with numbered as (
    select
        number,
        (number - 1) / 100 as block,
        (number - 1) %% 100 as place,
        -- nearly twice as much news a day at the end as at the beginning
        size.begin + make_interval(
            secs => floor(
                731 * 86400 * (sqrt(0.49 + 1.2 * (number - 1) / count(*) over ()) - 0.7) / 0.6
            )
        ) as received_at
    from size
    cross join totals
    cross join generate_series(1, pg_temp.message_of(pg_temp.document_of(mentions))) as number
),

-- now and then a newer version, thirty messages later
versioned as (
    select
        *,
        place = 24 and block %% 5 = 2 and lead(number, 30) over (order by number) is not null
            as is_superseded,
        place = 54 and block %% 5 = 2 as is_newer,
        lead(received_at, 30) over (order by number) as later
    from numbered
)

select
    number,
    case
        when place < 96 then 'mentioned'
        when place = 98 then 'copy'
        when place = 99 and block %% 10 = 0 then 'rejected'
        when place = 99 and block %% 10 = 5 then 'dead'
        else 'no_supplier'
    end as kind,
    -- a copy has the text of one before it
    case when place = 98 then number - 60 else number end as text_number,
    case when is_superseded then number + 30 end as superseded_by,
    case when is_superseded then later end as superseded_at,
    case when is_newer then number - 30 end as supersedes,
    received_at
from versioned;

create temporary table named as
with numbered as (
    select
        number,
        (number - 1) %% 3 = 2 as is_second,
        pg_temp.message_of(pg_temp.document_of(number)) as news_number
    from totals, generate_series(1, mentions) as number
),

drawn as (
    select
        numbered.*,
        news.received_at,
        size.pairs,
        extract(day from news.received_at - size.begin)::integer / 10 as burst,
        pg_temp.pairs_in_the_news(numbered.number, size.pairs) as among
    from numbered
    inner join news on numbered.news_number = news.number
    cross join size
),

picked as (
    select *, 1 + pg_temp.pick(number, 'pair', among) as pair from drawn
),

-- in ten days most news are about a fifth of the pairs, so that stories form
in_the_news as (
    select
        *,
        case
            when pg_temp.chance(number, 'calm') < 0.2 then pair
            else greatest(1, least(among, pair - pair %% 5 + burst %% 5))
        end as first_pair
    from picked
)

select
    news_number * 2 + is_second::integer as mention,
    number,
    news_number,
    burst,
    received_at + interval '1 minute' as created_at,
    -- the second one of a document is another one
    case
        when is_second
            then 1 + (
                lag(first_pair) over (order by number) - 1
                + 5 * (1 + pg_temp.pick(number, 'second pair', pairs / 5 - 1))
            ) %% pairs
        else first_pair
    end as pair_number
from in_the_news;

create temporary table answered as
with readings as (
    select
        named.*,
        named.created_at + interval '2 minutes' as read_at,
        false as is_second
    from named
    union all
    -- some of what the older generation read
    select
        named.*,
        size.switched_at + make_interval(secs => 50 * 86400.0 * again / totals.second_readings)
            as read_at,
        true as is_second
    from size
    cross join totals
    cross join generate_series(0, totals.second_readings - 1) as again
    inner join named
        on 1 + again * (totals.mentions * 4 / 5 / totals.second_readings) = named.number
)

select
    row_number() over (order by readings.read_at, readings.mention) as number,
    readings.mention * 2 + readings.is_second::integer as reading,
    readings.mention,
    readings.news_number,
    readings.pair_number,
    readings.burst,
    generations.generation_id,
    readings.read_at
from readings
cross join size
inner join risk.generations
    on
        case when readings.read_at < size.switched_at then size.begin else size.switched_at end
        = generations.live_from;
