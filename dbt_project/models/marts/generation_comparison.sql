-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    meta={'ages': true},
    indexes=[{
        'columns': [
            'supplier_id', 'country', 'base_generation_id', 'generation_id', 'dimension'
        ],
        'unique': true,
    }]
) }}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

compared as (
    select
        base_generation_id,
        generation_id,
        pair_number,
        count(*) as compared_documents
    from {{ ref('int_compared_mentions') }}
    group by base_generation_id, generation_id, pair_number
),

-- a dimension of which neither found anything has a row as well: it was compared
dimensions as (
    select dimension from {{ ref('risk_dimensions') }}
    union all
    select 'overall' as dimension
),

judged as (
    select
        base_generation_id,
        generation_id,
        pair_number,
        dimension,
        sum(base_findings)::bigint as base_findings,
        sum(findings)::bigint as findings,
        sum(gained_findings)::bigint as gained_findings,
        sum(lost_findings)::bigint as lost_findings,
        count(*) as judged_documents,
        count(*) filter (where is_agreed) as agreed_documents
    from {{ ref('int_compared_documents') }}
    group by base_generation_id, generation_id, pair_number, dimension
),

scores as (
    select * from {{ ref('int_compared_scores') }}
),

generations as (
    select
        *,
        case
            when live_until_on <= {{ as_of_date() }} then 'discarded'
            when live_from_on <= {{ as_of_date() }} then 'live'
            else 'shadow'
        end as status
    from {{ ref('stg_generations') }}
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

final as (
    select
        compared.base_generation_id,
        base.model as base_model,
        base.prompt_version as base_prompt_version,
        compared.generation_id,
        newer.model,
        newer.prompt_version,
        newer.status,
        pairs.supplier_id,
        coalesce(suppliers.supplier_name, pairs.supplier_id) as supplier_name,
        suppliers.supplier_category,
        pairs.country,
        dimensions.dimension,
        scores.base_score,
        coalesce({{ band_of('scores.base_score') }}, 'no signal') as base_band,
        scores.score,
        coalesce({{ band_of('scores.score') }}, 'no signal') as band,
        coalesce(scores.score, 0) - coalesce(scores.base_score, 0) as score_difference,
        coalesce(judged.base_findings, 0) as base_findings,
        coalesce(judged.findings, 0) as findings,
        coalesce(judged.gained_findings, 0) as gained_findings,
        coalesce(judged.lost_findings, 0) as lost_findings,
        compared.compared_documents,
        coalesce(judged.judged_documents, 0) as judged_documents,
        coalesce(judged.agreed_documents, 0) as agreed_documents,
        round(judged.agreed_documents::numeric / judged.judged_documents, 3) as agreement,
        {{ as_of_date() }} as as_of_date
    from compared
    inner join pairs using (pair_number)
    cross join dimensions
    left join judged using (base_generation_id, generation_id, pair_number, dimension)
    left join scores using (base_generation_id, generation_id, pair_number, dimension)
    inner join generations as base on compared.base_generation_id = base.generation_id
    inner join generations as newer on compared.generation_id = newer.generation_id
    left join suppliers on pairs.supplier_id = suppliers.supplier_id
)

select * from final
