{{ config(materialized='table') }}

{% set seeds = {
    'risk_levels': 'level',
    'risk_dimensions': 'dimension',
    'risk_statuses': 'status',
    'risk_bands': 'band',
    'publisher_classes': 'publisher_class',
    'publishers': 'publisher',
    'supplier_tiers': 'tier',
} %}
{% set variables = [
    'event_gap_days', 'event_span_days', 'corroboration_factor', 'damping', 'worst_share',
    'thin_events', 'least_contribution'
] %}

with lines as (
    {% for seed, key in seeds.items() %}
        select
            '{{ seed }}' as seed,
            string_agg({{ seed }}::text, '|' order by {{ key }}) as seed_rows
        from {{ ref(seed) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        left(
            md5(
                string_agg(seed || ':' || seed_rows, '|' order by seed)
                {% for name in variables %}
                    || '|{{ var(name) }}'
                {% endfor %}
                || '|{{ local_md5(policy_formulas()) }}'
            ),
            12
        ) as policy_version
    from lines
)

select * from final
