{% set seeds = {
    'risk_levels': 'level',
    'risk_dimensions': 'dimension',
    'risk_statuses': 'status',
    'risk_bands': 'band',
    'publisher_classes': 'publisher_class',
    'publishers': 'publisher',
} %}

with lines as (
    {% for seed, key in seeds.items() %}
        select
            '{{ seed }}' as seed,
            string_agg({{ seed }}::text, '|' order by {{ key }}) as content
        from {{ ref(seed) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        left(
            md5(
                string_agg(seed || ':' || content, '|' order by seed)
                || '|{{ [var("event_gap_days"), var("event_span_days"), var("corroboration_factor"), var("damping"), var("worst_share"), var("thin_events")] | join(",") }}'
            ),
            12
        ) as policy_version
    from lines
)

select * from final
