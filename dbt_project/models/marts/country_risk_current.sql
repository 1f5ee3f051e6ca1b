with scores as (
    select * from {{ ref('supplier_risk_current') }}
    where score is not null
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

tiers as (
    select * from {{ ref('supplier_tiers') }}
),

names as (
    select * from {{ ref('countries') }}
),

baselines as (
    select * from {{ ref('country_baseline') }}
),

bands as (
    select
        band,
        lowest_score,
        lead(lowest_score) over (order by lowest_score) as next_lowest_score
    from {{ ref('risk_bands') }}
),

known as (
    select
        scores.*,
        suppliers.annual_spend_usd,
        tiers.weight as tier_weight,
        -- one without a spend among others with would count for nothing, or for any sum we invent
        case
            when bool_and(coalesce(suppliers.annual_spend_usd > 0, false)) over together
                then 'spend'
            when bool_and(tiers.weight is not null) over together then 'tier'
            else 'none'
        end as weighted_by
    from scores
    left join suppliers using (supplier_id)
    left join tiers on suppliers.supplier_tier = tiers.tier
    window together as (partition by scores.country, scores.dimension)
),

weighted as (
    select
        *,
        case weighted_by
            when 'spend' then annual_spend_usd when 'tier' then tier_weight else 1
        end as weight
    from known
),

rolled_up as (
    select
        country,
        dimension,
        weighted_by,
        round(({{ worst_and_mean('score', 'weight') }})::numeric, 1) as score,
        count(*) as suppliers,
        sum(events)::bigint as events,
        max(score) as worst_score,
        (array_agg(supplier_id order by score desc, supplier_id asc))[1] as worst_supplier_id,
        (array_agg(supplier_name order by score desc, supplier_id asc))[1] as worst_supplier_name,
        min(policy_version) as policy_version,
        min(as_of_date) as as_of_date
    from weighted
    group by country, dimension, weighted_by
),

final as (
    select
        rolled_up.country,
        names.country_iso3,
        coalesce(names.country_name, rolled_up.country) as country_name,
        names.region,
        rolled_up.dimension,
        rolled_up.score,
        bands.band,
        rolled_up.suppliers,
        rolled_up.events,
        rolled_up.worst_score,
        rolled_up.worst_supplier_id,
        rolled_up.worst_supplier_name,
        rolled_up.weighted_by,
        baselines.baseline_risk,
        baselines.source as baseline_source,
        rolled_up.policy_version,
        rolled_up.as_of_date
    from rolled_up
    inner join bands
        on
            rolled_up.score >= bands.lowest_score
            and (bands.next_lowest_score is null or rolled_up.score < bands.next_lowest_score)
    left join names using (country)
    left join baselines using (country)
)

select * from final
