-- A brief of each pair that was read about, of its ten gravest findings.
create temporary table told as
with read as (
    select pair_number, max(read_at) + interval '3 minutes' as created_at
    from answered
    group by pair_number
),

graded as (
    select
        pairs.pair_number,
        findings.finding_id,
        row_number() over (
            partition by pairs.pair_number order by findings.level desc, findings.finding_id desc
        ) as place
    from read
    inner join risk.pairs using (pair_number)
    inner join risk.current_mentions as mentions using (supplier_id, country)
    inner join risk.current_assessments as assessments using (mention_id)
    inner join risk.findings using (assessment_id)
    where findings.quote_verified and findings.level > 0
),

cited as (
    select pair_number, array_agg(finding_id order by place) as finding_ids
    from graded
    where place <= 10
    group by pair_number
)

select
    pairs.supplier_id,
    pairs.country,
    pairs.pair_id,
    cited.finding_ids,
    read.created_at,
    newest.generation_id,
    newest.model,
    encode(sha256((pairs.partition_key || read.created_at)::bytea), 'hex') as cache_key
from cited
inner join read using (pair_number)
inner join risk.pairs using (pair_number)
cross join (
    select generation_id, model from risk.generations
    order by generation_id desc
    limit 1
) as newest;

insert into risk.work_items (
    subject_type, subject_id, step, generation_id, state, outcome, attempts,
    available_at, created_at, finished_at
)
select
    'pair', pair_id, 'briefs', generation_id, 'done', 'written', 1,
    created_at, created_at, created_at
from told
order by pair_id
on conflict (subject_type, subject_id, step, generation_id)
do update set finished_at = excluded.finished_at;

insert into llm.requests (
    cache_key, step, prompt_version, model, parameters, messages, created_at
)
select cache_key, 'risk_briefs', 'risk_briefs-bench', model, '{}', '[]', created_at
from told
order by cache_key;

insert into llm.attempts (
    cache_key, question_key, item_id, run_id, started_at, deadline, finished_at, outcome,
    http_status, latency_ms, input_tokens, cached_tokens, output_tokens, cost_usd
)
select
    told.cache_key, told.cache_key, items.item_id, 'run-briefs',
    told.created_at - interval '1 second', told.created_at + interval '59 seconds',
    told.created_at, 'ok', 200, 800, 700, 0, 150, 0.0005
from told
inner join risk.work_items as items
    on
        items.subject_type = 'pair'
        and told.pair_id = items.subject_id
        and items.step = 'briefs'
        and told.generation_id = items.generation_id
order by told.cache_key;

insert into llm.responses (
    attempt_id, cache_key, outcome, finish_reason, answer, raw_body, created_at
)
select
    attempts.attempt_id, attempts.cache_key, 'ok', 'stop', '{"sentences": []}', '',
    attempts.finished_at
from told
inner join llm.attempts using (cache_key)
order by attempts.attempt_id;

insert into risk.briefs (
    supplier_id, country, generation_id, response_id, text, finding_ids, run_id, created_at
)
select
    told.supplier_id,
    told.country,
    told.generation_id,
    responses.response_id,
    'It had trouble. [1]',
    told.finding_ids,
    'run-briefs',
    told.created_at
from told
inner join llm.responses using (cache_key)
order by responses.response_id;
