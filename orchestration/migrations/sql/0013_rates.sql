-- How far the requests and tokens of a minute are given away, for each address and model.
create table llm.rates (
    base_url text not null,
    model text not null,
    requests_free_at timestamptz not null default clock_timestamp(),
    tokens_free_at timestamptz not null default clock_timestamp(),
    primary key (base_url, model)
);
grant insert, update on llm.rates to pipeline;
