-- depends_on: {{ ref('supplier_risk_current') }}
-- depends_on: {{ ref('risk_changes') }}
-- depends_on: {{ ref('risk_events') }}
-- depends_on: {{ ref('risk_evidence') }}
-- depends_on: {{ ref('supplier_briefs') }}
-- depends_on: {{ ref('generation_comparison') }}
-- depends_on: {{ ref('llm_usage_daily') }}
-- depends_on: {{ ref('int_keyword_weeks') }}
{{ config(materialized='table') }}

select
    as_of_date,
    history_from,
    policy_version,
    code_version,
    read_to,
    read_from,
    days_from,
    is_full,
    is_new_day
from {{ ref('int_refresh') }}
-- a build of some of the models leaves no word of it, so that the next one builds everything
where {{ is_whole_build() }}
