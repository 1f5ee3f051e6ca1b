{{ config(materialized='table', post_hook='analyze {{ this }}') }}

-- The assessments are named twice: of a part of a `with` that is used twice all rows would be read.
with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
),

documents as (
    select * from {{ ref('stg_documents') }}
),

mentions as (
    select
        pairs.pair_number,
        mentions.mention_id
    from pairs
    inner join {{ ref('stg_mentions') }} as mentions using (supplier_id, country)
    inner join documents using (document_id)
    where
        mentions.mentioned_on <= {{ as_of_date() }}
        and coalesce(documents.ended_on > {{ as_of_date() }}, true)
),

final as (
    select
        base.generation_id as base_generation_id,
        newer.generation_id,
        mentions.pair_number,
        mentions.mention_id,
        base.assessment_id as base_assessment_id,
        newer.assessment_id
    from mentions
    inner join {{ ref('stg_assessments') }} as base
        on mentions.mention_id = base.mention_id and base.assessed_on <= {{ as_of_date() }}
    inner join {{ ref('stg_assessments') }} as newer
        on
            mentions.mention_id = newer.mention_id
            and newer.assessed_on <= {{ as_of_date() }}
            and base.generation_id < newer.generation_id
)

select * from final
