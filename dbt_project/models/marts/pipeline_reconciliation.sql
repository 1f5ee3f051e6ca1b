{% set states = [
    'rejected', 'duplicate', 'superseded', 'irrelevant', 'no_supplier', 'pending', 'dead', 'scored'
] %}

with messages as (
    select * from {{ ref('stg_message_states') }}
),

final as (
    select
        batch_id,
        count(*) as received,
        {% for state in states %}
            count(*) filter (where state = '{{ state }}') as {{ state }},
        {% endfor %}
        count(*) filter (where state is null) as gap
    from messages
    group by batch_id
)

select * from final
