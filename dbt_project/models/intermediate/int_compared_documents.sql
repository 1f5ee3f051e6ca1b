{{ config(materialized='table', post_hook='analyze {{ this }}') }}

with findings as (
    select * from {{ ref('int_compared_findings') }}
),

stories as (
    select
        base_generation_id,
        generation_id,
        pair_number,
        document_id,
        dimension,
        event_type,
        count(*) filter (where side = 'base') as base_findings,
        count(*) filter (where side = 'newer') as findings,
        coalesce(max(level) filter (where side = 'base'), 0) as base_highest_level,
        coalesce(max(level) filter (where side = 'newer'), 0) as highest_level
    from findings
    group by
        base_generation_id, generation_id, pair_number, document_id, dimension, event_type
),

final as (
    select
        stories.base_generation_id,
        stories.generation_id,
        stories.pair_number,
        stories.document_id,
        scope.dimension,
        sum(stories.base_findings)::bigint as base_findings,
        sum(stories.findings)::bigint as findings,
        coalesce(sum(stories.findings) filter (where stories.base_findings = 0), 0)::bigint
            as gained_findings,
        coalesce(sum(stories.base_findings) filter (where stories.findings = 0), 0)::bigint
            as lost_findings,
        max(stories.base_highest_level) = max(stories.highest_level) as is_agreed
    from stories
    cross join lateral unnest(array[stories.dimension, 'overall']) as scope (dimension)
    group by
        stories.base_generation_id, stories.generation_id, stories.pair_number,
        stories.document_id, scope.dimension
)

select * from final
