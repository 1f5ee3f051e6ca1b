-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    meta={'ages': true},
    indexes=[{'columns': ['pair_number']}],
    post_hook='analyze {{ this }}'
) }}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
    where findings_changed or (select is_new_day from {{ ref('int_refresh') }})
),

findings as (
    select
        findings.pair_number,
        pairs.supplier_id,
        findings.dimension,
        findings.level,
        date_trunc('week', findings.event_on::timestamp)::date as week,
        lower(answers.keywords::text)::text[] as keywords
    from {{ ref('int_findings') }} as findings
    inner join pairs using (pair_number)
    inner join {{ ref('stg_findings') }} as answers using (finding_id)
    where
        findings.is_risk
        and findings.known_from <= {{ as_of_date() }}
        and findings.known_until > {{ as_of_date() }}
        and findings.event_on >= {{ first_week() }} - 7
        and findings.event_on <= {{ as_of_date() }}
),

final as (
    select
        findings.pair_number,
        findings.supplier_id,
        word.keyword,
        findings.dimension,
        findings.week,
        count(*)::integer as findings,
        max(findings.level) as highest_level
    from findings
    cross join lateral unnest(findings.keywords) with ordinality as word (keyword, place)
    where
        trim(word.keyword) <> ''
        -- a finding may repeat a keyword
        and array_position(findings.keywords, word.keyword) = word.place
    group by
        findings.pair_number, findings.supplier_id, word.keyword, findings.dimension, findings.week
)

select * from final
