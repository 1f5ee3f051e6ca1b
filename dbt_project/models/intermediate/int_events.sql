-- depends_on: {{ ref('int_refresh') }}
-- depends_on: {{ ref('int_pairs_to_score') }}
{{ config(
    materialized='incremental',
    indexes=[{'columns': ['pair_number']}],
    post_hook='analyze {{ this }}'
) }}

with findings as (
    select * from {{ ref('int_finding_versions') }}
),

final as (
    select * from {{ events_of('findings', 'version_from, version_until') }} as events
)

select
    pair_number,
    dimension,
    event_type,
    version_from as known_from,
    version_until as known_until,
    first_seen_on,
    last_seen_on,
    forgotten_on,
    highest_level,
    documents,
    publishers,
    credibility,
    severity,
    half_life_days,
    finding_ids[1] as evidence_finding_id,
    finding_ids
from final
