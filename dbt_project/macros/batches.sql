{# The batch of a message; those that came without one are of the day (UTC) on which they came. #}
{% macro batch_name(batch_id, received_at) -%}
    coalesce(
        {{ batch_id }},
        '(no batch) ' || to_char({{ received_at }} at time zone 'utc', 'YYYY-MM-DD')
    )
{%- endmacro %}
