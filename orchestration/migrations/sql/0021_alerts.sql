-- What people are told: each once, by its key. Rows are only added.
create table risk.alerts (
    alert_id bigint generated always as identity primary key,
    kind text not null check (kind in ('band', 'event', 'digest')),
    dedupe_key text not null unique,
    supplier_id text,
    country text,
    says jsonb not null,
    created_at timestamptz not null default now(),
    check (kind = 'digest' or (supplier_id is not null and country is not null))
);
create index alerts_by_pair on risk.alerts (supplier_id, country, created_at);
create index alerts_by_age on risk.alerts (created_at);
grant insert on risk.alerts to pipeline;

-- One message to one channel: the alerts that were noticed together. Its id goes with it, so that a
-- receiver knows a message that comes twice. available_at: when it may be claimed; of one that is
-- being sent, the end of its lease. attempts is the fencing token, too.
create table risk.notifications (
    notification_id uuid primary key default gen_random_uuid(),
    channel text not null,
    alert_ids bigint [] not null check (cardinality(alert_ids) > 0),
    state text not null default 'waiting' check (state in ('waiting', 'sending', 'sent', 'dead')),
    attempts integer not null default 0,
    available_at timestamptz not null default now(),
    last_error_class text,
    sent_at timestamptz,
    created_at timestamptz not null default now(),
    check ((state = 'sent') = (sent_at is not null))
);
create index notifications_open on risk.notifications (available_at) where state <> 'sent';
create index notifications_by_alert on risk.notifications using gin (alert_ids);
grant insert on risk.notifications to pipeline;
grant update (state, attempts, available_at, last_error_class, sent_at)
on risk.notifications to pipeline;

-- What was there at the last look, and of which build of the marts that was. A pair that is not
-- there had no signal. new_events, rescoring and rollbacks are those of marts.risk_changes then.
create table risk.seen_bands (
    supplier_id text not null,
    country text not null,
    band text not null,
    score numeric(4, 1),
    new_events numeric(4, 1) not null,
    rescoring numeric(4, 1) not null,
    rollbacks numeric(4, 1) not null,
    primary key (supplier_id, country)
);
create table risk.seen_events (
    seen_event_id bigint generated always as identity primary key,
    supplier_id text not null,
    country text not null,
    dimension text not null,
    event_type text not null,
    first_seen_on date not null,
    last_seen_on date not null,
    highest_level smallint not null
);
create index seen_events_by_place
on risk.seen_events (supplier_id, country, dimension, event_type);
create table risk.seen_refresh (
    is_only boolean primary key default true check (is_only),
    build text not null,
    policy_version text not null,
    as_of_date date not null,
    seen_at timestamptz not null default now()
);
grant insert, update on risk.seen_bands, risk.seen_events, risk.seen_refresh to pipeline;

-- Whether the marts are new and complete, and the order of the bands. Which tables of these schemas
-- may be read is said in dbt_project.yml.
set role transformer;
grant usage on schema intermediate, policy to pipeline;
reset role;
