with scores as (
    select * from {{ ref('int_dimension_scores') }}
),

dimensions as (
    select * from {{ ref('risk_dimensions') }}
),

final as (
    select
        scores.score_day,
        scores.supplier_id,
        scores.country,
        {{ worst_and_mean('scores.score', 'dimensions.weight', 'scores.dimension') }} as score,
        sum(scores.events)::bigint as events,
        (array_agg(scores.dimension order by scores.score desc, scores.dimension asc))[1]
            as top_dimension
    from scores
    inner join dimensions using (dimension)
    group by scores.score_day, scores.supplier_id, scores.country
)

select * from final
