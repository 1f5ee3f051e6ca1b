with refresh as (
    select * from {{ ref('int_refresh') }}
),

pairs as (
    select * from {{ ref('int_pairs_to_score') }}
    where findings_changed
),

findings as (
    select findings.*
    from {{ ref('int_findings') }} as findings
    inner join pairs using (pair_number)
    cross join refresh
    where findings.is_risk and findings.known_until > refresh.history_from
),

-- the days on which another set of findings is known of a story; all before the history are one
edges as (
    select
        findings.pair_number,
        findings.dimension,
        findings.event_type,
        greatest(findings.known_from, refresh.history_from) as version_from
    from findings
    cross join refresh
    union
    select
        pair_number,
        dimension,
        event_type,
        known_until as version_from
    from findings
    where known_until < 'infinity'
),

versions as (
    select
        *,
        lead(version_from, 1, 'infinity') over (
            partition by pair_number, dimension, event_type order by version_from
        ) as version_until
    from edges
),

final as (
    select
        versions.version_from,
        versions.version_until,
        versions.pair_number,
        versions.dimension,
        versions.event_type,
        findings.finding_id,
        findings.document_id,
        findings.level,
        findings.event_on,
        findings.quote_begin,
        findings.publisher,
        findings.score,
        findings.credibility
    from versions
    inner join findings using (pair_number, dimension, event_type)
    where
        findings.known_from <= versions.version_from
        and findings.known_until > versions.version_from
)

select * from final
