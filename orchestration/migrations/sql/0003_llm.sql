-- What was asked and what was answered. Requests and responses are never updated or deleted.
create table llm.prompts (
    prompt_version text primary key,
    step text not null,
    system_text text not null,
    user_template text not null,
    reply_schema jsonb not null,
    created_at timestamptz not null default now()
);

create table llm.requests (
    cache_key text primary key check (cache_key ~ '^[0-9a-f]{64}$'),
    step text not null,
    prompt_version text not null references llm.prompts,
    model text not null,
    parameters jsonb not null,
    messages jsonb not null,
    created_at timestamptz not null default now()
);

create table llm.attempts (
    attempt_id bigint generated always as identity primary key,
    cache_key text not null references llm.requests,
    item_id bigint not null,
    run_id text not null,
    started_at timestamptz not null default clock_timestamp(),
    deadline timestamptz not null,
    finished_at timestamptz,
    outcome text,
    http_status integer,
    request_id text,
    latency_ms integer,
    input_tokens integer,
    cached_tokens integer,
    output_tokens integer,
    cost_usd numeric(14, 8),
    error text,
    check ((finished_at is null) = (outcome is null))
);
create index attempts_by_request on llm.attempts (cache_key);
create index attempts_by_run on llm.attempts (run_id);
create index attempts_by_item on llm.attempts (item_id);
create index attempts_unfinished on llm.attempts (deadline) where finished_at is null;

create table llm.responses (
    response_id bigint generated always as identity primary key,
    attempt_id bigint not null unique references llm.attempts,
    cache_key text not null references llm.requests,
    outcome text not null,
    finish_reason text,
    answer text,
    raw_body bytea not null,
    created_at timestamptz not null default now()
);
create unique index responses_one_good_answer on llm.responses (cache_key) where outcome = 'ok';
create index responses_by_request on llm.responses (cache_key);

grant insert on all tables in schema llm to pipeline;
grant update (
    finished_at, outcome, http_status, request_id, latency_ms,
    input_tokens, cached_tokens, output_tokens, cost_usd, error
) on llm.attempts to pipeline;
