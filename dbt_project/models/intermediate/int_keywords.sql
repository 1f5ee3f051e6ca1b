with findings as (
    select * from {{ ref('int_current_findings') }}
    where is_risk
),

words as (
    select
        findings.supplier_id,
        findings.country,
        scope.dimension,
        lower(keyword.word) as word,
        max(findings.level) as highest_level,
        count(*) as uses
    from findings
    cross join lateral unnest(array[findings.dimension, 'overall']) as scope (dimension)
    cross join lateral unnest(findings.keywords) as keyword (word)
    group by findings.supplier_id, findings.country, scope.dimension, lower(keyword.word)
),

ranked as (
    select
        *,
        row_number() over (
            partition by supplier_id, country, dimension
            order by highest_level desc, uses desc, word asc
        ) as place
    from words
),

final as (
    select
        supplier_id,
        country,
        dimension,
        string_agg(word, ', ' order by place) as keywords
    from ranked
    where place <= 5
    group by supplier_id, country, dimension
)

select * from final
