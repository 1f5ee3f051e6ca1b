-- What was drawn, as the pipeline writes it: landed, found, asked, answered, concluded.
analyze news, named, answered;

insert into ingest.documents (
    document_id, source, external_id, version, title, body, publisher, url, language,
    published_at, received_at, content_sha256, duplicate_of, superseded_by, marked_at
)
select
    pg_temp.id('document', number),
    'bench',
    coalesce(supersedes, number)::text,
    case when supersedes is null then 1 else 2 end,
    pg_temp.title(text_number),
    pg_temp.body(text_number),
    pg_temp.publisher(number),
    'https://news.example/' || number,
    'en',
    -- some are late by weeks, and some do not say when they were published
    case
        when pg_temp.chance(number, 'undated') < 0.02 then null
        else received_at - make_interval(
            days => case
                when pg_temp.chance(number, 'late') < 0.02
                    then 20 + pg_temp.pick(number, 'days', 40)
                else 0
            end,
            secs => pg_temp.pick(number, 'seconds', 86400)
        )
    end,
    received_at,
    sha256(text_number::text::bytea),
    case when kind = 'copy' then pg_temp.id('document', text_number) end,
    pg_temp.id('document', superseded_by),
    superseded_at
from news
where kind <> 'rejected'
order by number;

insert into ingest.messages (
    subscription, message_id, landed_as, document_id, data_sha256, batch_id, publish_time,
    received_at
)
select
    'projects/bench/subscriptions/bench',
    number::text,
    case kind when 'rejected' then 'rejection' else 'document' end,
    case when kind <> 'rejected' then pg_temp.id('document', number) end,
    sha256(number::text::bytea),
    'batch-' || (number - 1) / 500,
    received_at - interval '5 seconds',
    received_at
from news
order by number;

insert into ingest.payloads (data_sha256, data)
select sha256(number::text::bytea), number::text::bytea from news
where kind = 'rejected';

insert into ingest.rejections (
    subscription, message_id, reason, detail, data_sha256, attributes, received_at
)
select
    'projects/bench/subscriptions/bench', number::text, 'not_json', 'The message is not JSON.',
    sha256(number::text::bytea), '{}', received_at
from news
where kind = 'rejected'
order by number;

insert into risk.work_items (
    subject_type, subject_id, step, state, outcome, detail, attempts, last_error_class, last_error,
    available_at, created_at, finished_at
)
select
    'document',
    pg_temp.id('document', news.number),
    'mentions',
    case news.kind when 'dead' then 'dead' else 'done' end,
    case when news.kind <> 'dead' then news.kind end,
    case when news.kind = 'mentioned' then jsonb_build_object('mentions', found.mentions) end,
    1,
    case when news.kind = 'dead' then 'unreadable' end,
    case when news.kind = 'dead' then 'Nobody could read it.' end,
    news.received_at,
    news.received_at,
    news.received_at + interval '1 minute'
from news
left join (
    select news_number, count(*) as mentions from named
    group by news_number
) as found on news.number = found.news_number
where news.kind in ('mentioned', 'no_supplier', 'dead')
order by news.number;

insert into risk.mentions (
    mention_id, document_id, supplier_id, country, found_by, country_source, matched_text,
    created_at
)
select
    pg_temp.id('mention', named.mention),
    pg_temp.id('document', named.news_number),
    pairs.supplier_id,
    pairs.country,
    'alias',
    (array['sentence', 'paragraph', 'home'])[1 + pg_temp.pick(named.mention, 'source', 3)],
    'Supplier',
    named.created_at
from named
inner join risk.pairs using (pair_number)
order by named.mention;

insert into risk.work_items (
    subject_type, subject_id, step, generation_id, state, outcome, attempts,
    available_at, created_at, finished_at
)
select
    'mention', pg_temp.id('mention', mention), 'findings', generation_id, 'done', 'risk', 1,
    read_at, read_at, read_at
from answered
order by read_at, mention;

insert into llm.requests (
    cache_key, step, prompt_version, model, parameters, messages, created_at
)
select
    pg_temp.cache_key(answered.reading),
    'risk_findings',
    generations.prompt_versions ->> 'risk_findings',
    generations.model,
    '{}',
    '[]',
    answered.read_at
from answered
inner join risk.generations using (generation_id)
order by answered.read_at, answered.mention;

insert into llm.attempts (
    cache_key, question_key, item_id, run_id, started_at, deadline, finished_at, outcome,
    http_status, latency_ms, input_tokens, cached_tokens, output_tokens, cost_usd
)
select
    pg_temp.cache_key(answered.reading),
    pg_temp.cache_key(answered.reading),
    items.item_id,
    'run-' || (answered.news_number - 1) / 500,
    answered.read_at - interval '1 second',
    answered.read_at + interval '59 seconds',
    answered.read_at,
    'ok',
    200,
    200 + pg_temp.pick(answered.reading, 'latency', 3000),
    900 + pg_temp.pick(answered.reading, 'input', 600),
    pg_temp.pick(answered.reading, 'cached', 800),
    80 + pg_temp.pick(answered.reading, 'output', 300),
    0.0001 * (1 + pg_temp.pick(answered.reading, 'cost', 20))
from answered
inner join risk.work_items as items
    on
        items.subject_type = 'mention'
        and pg_temp.id('mention', answered.mention) = items.subject_id
        and items.step = 'findings'
        and answered.generation_id = items.generation_id
order by answered.read_at, answered.mention;

insert into llm.responses (
    attempt_id, cache_key, outcome, finish_reason, answer, raw_body, created_at
)
select
    attempts.attempt_id, attempts.cache_key, 'ok', 'stop', '{"findings": []}', '',
    attempts.finished_at
from answered
inner join llm.attempts on pg_temp.cache_key(answered.reading) = attempts.cache_key
order by attempts.attempt_id;

insert into risk.assessments (
    mention_id, generation_id, outcome, relevance, response_id, response_ids, run_id, created_at
)
select
    pg_temp.id('mention', answered.mention),
    answered.generation_id,
    'risk',
    (0.3 + 0.7 * pg_temp.chance(answered.reading, 'relevance'))::real,
    responses.response_id,
    array[responses.response_id],
    'run-' || (answered.news_number - 1) / 500,
    answered.read_at
from answered
inner join llm.responses on pg_temp.cache_key(answered.reading) = responses.cache_key
order by responses.response_id;
