{{ config(meta={'dagster': {'ref': {'name': 'generation_comparison'}}}) }}

-- What was found in all is what was found in each dimension, and what one generation did not gain
-- the other one has, too.
with comparisons as (
    select
        base_generation_id,
        generation_id,
        supplier_id,
        country,
        coalesce(sum(base_findings) filter (where dimension = 'overall'), 0) as base_findings,
        coalesce(sum(findings) filter (where dimension = 'overall'), 0) as findings,
        sum(base_findings) filter (where dimension <> 'overall') as base_findings_by_dimension,
        sum(findings) filter (where dimension <> 'overall') as findings_by_dimension,
        bool_and((findings > gained_findings) = (base_findings > lost_findings)) as is_shared,
        bool_and(
            agreed_documents <= judged_documents and judged_documents <= compared_documents
        ) as is_within
    from {{ ref('generation_comparison') }}
    group by base_generation_id, generation_id, supplier_id, country
)

select * from comparisons
where
    base_findings <> base_findings_by_dimension
    or findings <> findings_by_dimension
    or not is_shared
    or not is_within
