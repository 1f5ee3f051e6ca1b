-- depends_on: {{ ref('int_refresh') }}
{{ config(materialized='incremental', incremental_strategy='replace_days') }}

with attempts as (
    select * from {{ ref('stg_attempts') }}
    where {{ is_in_usage_days('started_at') }}
),

assessments as (
    select * from {{ ref('stg_assessments') }}
    where {{ is_in_usage_days('created_at') }}
),

briefs as (
    select * from {{ ref('stg_briefs') }}
    where {{ is_in_usage_days('created_at') }} and response_id is not null
),

calls as (
    select
        started_on as day,
        step,
        model,
        prompt_version,
        count(*) as calls,
        count(*) filter (where outcome = 'ok') as succeeded,
        count(*) filter (where outcome in ('refusal', 'content_filter')) as refused,
        count(*) filter (
            where outcome in ('schema_invalid', 'truncated', 'unreadable')
        ) as invalid,
        count(*) filter (where outcome is null) as unfinished,
        sum(input_tokens) as input_tokens,
        sum(cached_tokens) as cached_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_usd) as cost_usd,
        sum(settled_usd) as settled_usd,
        percentile_disc(0.5) within group (order by latency_ms) as latency_p50_ms,
        percentile_disc(0.95) within group (order by latency_ms) as latency_p95_ms
    from attempts
    group by started_on, step, model, prompt_version
),

uses as (
    select
        assessments.assessed_on as day,
        'risk_findings' as step,
        assessments.model,
        assessments.prompt_version,
        assessments.run_id,
        answer.response_id
    from assessments
    cross join lateral unnest(assessments.response_ids) as answer (response_id)
    union all
    select
        created_on as day,
        step,
        model,
        prompt_version,
        run_id,
        response_id
    from briefs
),

responses as (
    select * from {{ ref('stg_responses') }}
),

asked as (
    select
        attempt_id,
        run_id
    from {{ ref('stg_attempts') }}
),

hits as (
    select
        uses.day,
        uses.step,
        uses.model,
        uses.prompt_version,
        count(*) as cache_hits
    from uses
    inner join responses using (response_id)
    inner join asked using (attempt_id)
    where uses.run_id <> asked.run_id
    group by uses.day, uses.step, uses.model, uses.prompt_version
),

quotes as (
    select
        assessments.assessed_on as day,
        'risk_findings' as step,
        assessments.model,
        assessments.prompt_version,
        count(*) as findings,
        count(*) filter (where findings.quote_verified) as verified_quotes
    from {{ ref('stg_findings') }} as findings
    inner join assessments using (assessment_id)
    group by assessments.assessed_on, assessments.model, assessments.prompt_version
),

final as (
    select
        day,
        step,
        model,
        prompt_version,
        coalesce(calls.calls, 0) as calls,
        coalesce(calls.succeeded, 0) as succeeded,
        coalesce(calls.refused, 0) as refused,
        coalesce(calls.invalid, 0) as invalid,
        coalesce(
            calls.calls - calls.succeeded - calls.refused - calls.invalid - calls.unfinished, 0
        ) as errors,
        coalesce(calls.unfinished, 0) as unfinished,
        coalesce(calls.input_tokens, 0) as input_tokens,
        coalesce(calls.cached_tokens, 0) as cached_tokens,
        coalesce(calls.output_tokens, 0) as output_tokens,
        calls.cost_usd::numeric(20, 8) as cost_usd,
        coalesce(calls.settled_usd, 0)::numeric(20, 8) as settled_usd,
        calls.latency_p50_ms,
        calls.latency_p95_ms,
        -- a mention does not say which run asked about it
        case when step <> 'supplier_mentions' then coalesce(hits.cache_hits, 0) end as cache_hits,
        coalesce(quotes.findings, 0) as findings,
        coalesce(quotes.verified_quotes, 0) as verified_quotes
    from calls
    full join hits using (day, step, model, prompt_version)
    full join quotes using (day, step, model, prompt_version)
)

select * from final
