{{ config(meta={'dagster': {'ref': {'name': 'int_assessment_periods'}}}) }}

-- On no day do two answers about the same document, supplier and country count.
with periods as (
    select
        periods.mention_id,
        periods.assessment_id,
        periods.known_from,
        max(periods.known_until) over (
            partition by periods.mention_id
            order by periods.known_from
            rows between unbounded preceding and 1 preceding
        ) as known_before_until
    from {{ ref('int_assessment_periods') }} as periods
    inner join {{ ref('int_pairs_to_score') }} as pairs using (pair_number)
    where pairs.findings_changed
)

select * from periods
where known_from < known_before_until
