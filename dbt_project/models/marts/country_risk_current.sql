with scores as (
    select * from {{ ref('supplier_risk_current') }}
    where score is not null
),

bands as (
    select
        band,
        lowest_score,
        lead(lowest_score) over (order by lowest_score) as next_lowest_score
    from {{ ref('risk_bands') }}
),

countries as (
    select
        country,
        dimension,
        round(({{ worst_and_mean('score', '1') }})::numeric, 1) as score,
        count(*) as suppliers,
        sum(events)::bigint as events,
        max(score) as worst_score,
        (array_agg(supplier_id order by score desc, supplier_id asc))[1] as worst_supplier_id,
        (array_agg(supplier_name order by score desc, supplier_id asc))[1] as worst_supplier_name,
        min(policy_version) as policy_version,
        min(as_of_date) as as_of_date
    from scores
    group by country, dimension
),

final as (
    select
        countries.country,
        countries.dimension,
        countries.score,
        bands.band,
        countries.suppliers,
        countries.events,
        countries.worst_score,
        countries.worst_supplier_id,
        countries.worst_supplier_name,
        countries.policy_version,
        countries.as_of_date
    from countries
    inner join bands
        on
            countries.score >= bands.lowest_score
            and (bands.next_lowest_score is null or countries.score < bands.next_lowest_score)
)

select * from final
