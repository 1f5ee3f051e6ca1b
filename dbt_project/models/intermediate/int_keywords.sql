with pairs as (
    select pair_number from {{ ref('int_pairs_to_score') }}
),

findings as (
    select findings.* from {{ ref('int_current_findings') }} as findings
    inner join pairs using (pair_number)
    where findings.is_risk
),

words as (
    select
        findings.pair_number,
        scope.dimension,
        lower(keyword.word) as word,
        max(findings.level) as highest_level,
        count(*) as uses
    from findings
    cross join lateral unnest(array[findings.dimension, 'overall']) as scope (dimension)
    cross join lateral unnest(findings.keywords) as keyword (word)
    group by findings.pair_number, scope.dimension, lower(keyword.word)
),

ranked as (
    select
        *,
        row_number() over (
            partition by pair_number, dimension
            order by highest_level desc, uses desc, word asc
        ) as place
    from words
),

final as (
    select
        pair_number,
        dimension,
        string_agg(word, ', ' order by place) as keywords
    from ranked
    where place <= 5
    group by pair_number, dimension
)

select * from final
