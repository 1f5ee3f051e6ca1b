-- What a day (UTC) and a run spent, and may still have to pay. An attempt reserves the most that it
-- can cost. When it has ended it settles what it did cost, or all it reserved where nobody knows
-- whether the endpoint charged for it: a timeout, a lost connection, a run that was killed.
alter table llm.attempts
add column reserved_usd numeric(14, 8) not null default 0,
add column settled_usd numeric(14, 8) generated always as (
    case
        when finished_at is null then null
        when cost_usd is not null then cost_usd
        when outcome in ('not_sent', 'unreachable', 'endpoint_refuses') then 0
        when http_status <> 200 then 0
        else reserved_usd
    end
) stored;

create table llm.budget (
    scope text not null check (scope in ('day', 'run')),
    period text not null,
    reserved_usd numeric(16, 8) not null default 0,
    settled_usd numeric(16, 8) not null default 0,
    refused_usd numeric(16, 8),
    primary key (scope, period)
) with (fillfactor = 50);
comment on column llm.budget.refused_usd is 'The last reservation for which there was no room';
grant insert, update on llm.budget to pipeline;

-- Both are kept by the database: no writer of attempts can forget them.
create function llm.book(before llm.attempts[], after llm.attempts[]) returns void language sql
as $$
    insert into llm.budget as budget (scope, period, reserved_usd, settled_usd)
    select
        periods.scope, periods.period,
        coalesce(sum(sign * changed.reserved_usd) filter (where changed.finished_at is null), 0),
        coalesce(sum(sign * changed.settled_usd), 0)
    from (
        select -1 as sign, gone.* from unnest(before) as gone
        union all
        select 1, come.* from unnest(after) as come
    ) as changed
    cross join lateral (
        values
        ('day', to_char(changed.started_at at time zone 'UTC', 'YYYY-MM-DD')),
        ('run', changed.run_id)
    ) as periods (scope, period)
    where changed.reserved_usd > 0 or changed.settled_usd > 0
    group by periods.scope, periods.period
    order by periods.scope, periods.period
    on conflict (scope, period) do update
    set
        reserved_usd = budget.reserved_usd + excluded.reserved_usd,
        settled_usd = budget.settled_usd + excluded.settled_usd
$$;

create function llm.book_started() returns trigger language plpgsql
as $$ begin perform llm.book('{}', array(select row(started.*)::llm.attempts from started)); return null; end $$;

create function llm.book_changed() returns trigger language plpgsql
as $$
begin
    perform llm.book(
        array(select row(was.*)::llm.attempts from was),
        array(select row(became.*)::llm.attempts from became)
    );
    return null;
end
$$;

create trigger started after insert on llm.attempts
referencing new table as started for each statement execute function llm.book_started();
create trigger changed after update on llm.attempts
referencing old table as was new table as became
for each statement execute function llm.book_changed();

select llm.book('{}', array_agg(attempts)) from llm.attempts
group by (started_at at time zone 'UTC')::date;
