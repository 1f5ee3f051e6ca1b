-- depends_on: {{ ref('int_refresh') }}
{{ config(
    materialized='incremental',
    indexes=[{'columns': ['pair_number']}],
    post_hook='analyze {{ this }}'
) }}

with pairs as (
    select * from {{ ref('int_pairs_to_score') }}
    where findings_changed
),

mentions as (
    select * from {{ ref('stg_mentions') }}
),

documents as (
    select * from {{ ref('stg_documents') }}
),

assessments as (
    select * from {{ ref('stg_assessments') }}
    where was_ever_live
),

retracted as (
    select
        assessment_id,
        range_agg(daterange(made_on, undone_on)) as days
    from {{ ref('stg_retractions') }}
    group by assessment_id
),

candidates as (
    select
        pairs.pair_number,
        mentions.mention_id,
        mentions.document_id,
        assessments.assessment_id,
        documents.ended_on,
        coalesce(
            assessments.promoted_on,
            case
                when count(*) filter (where assessments.promoted_on is null) over (
                    partition by mentions.mention_id
                    order by assessments.assessment_id
                    rows between unbounded preceding and 1 preceding
                ) = 0 then mentions.mentioned_on
                else assessments.assessed_on
            end
        ) as counts_from,
        least(assessments.discarded_on, documents.ended_on, 'infinity'::date) as counts_until
    from pairs
    inner join mentions using (supplier_id, country)
    inner join documents using (document_id)
    inner join assessments using (mention_id)
),

available as (
    select
        candidates.*,
        datemultirange(daterange(
            candidates.counts_from, greatest(candidates.counts_from, candidates.counts_until)
        )) - coalesce(retracted.days, '{}') as days
    from candidates
    left join retracted using (assessment_id)
),

-- of those that are available on a day, the newest is the current one
current_days as (
    select
        *,
        days - coalesce(
            range_agg(days) over (
                partition by mention_id
                order by assessment_id desc
                rows between unbounded preceding and 1 preceding
            ),
            '{}'
        ) as periods
    from available
),

periods as (
    select
        pair_number,
        mention_id,
        document_id,
        assessment_id,
        counts_from,
        ended_on,
        lower(period) as known_from,
        upper(period) as known_until
    from current_days
    cross join lateral unnest(periods) as period
),

final as (
    select
        pair_number,
        mention_id,
        document_id,
        assessment_id,
        known_from,
        known_until,
        case
            when known_from = min(known_from) over (partition by mention_id) then 'news'
            when known_from = counts_from then 'rescoring'
            else 'rollback'
        end as began_by,
        ended_on
    from periods
)

select * from final
