-- A left join, which the database leaves out where only the attempt is asked for.
select
    attempts.attempt_id,
    attempts.run_id,
    attempts.started_at,
    (attempts.started_at at time zone 'utc')::date as started_on,
    attempts.outcome,
    attempts.latency_ms,
    attempts.input_tokens,
    attempts.cached_tokens,
    attempts.output_tokens,
    attempts.cost_usd,
    attempts.settled_usd,
    requests.step,
    requests.model,
    requests.prompt_version
from {{ source('llm', 'attempts') }} as attempts
left join {{ source('llm', 'requests') }} as requests using (cache_key)
