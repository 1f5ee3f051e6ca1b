{# Custom schemas are used as they are named, without the target's schema in front. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}

{# The day that ages are counted to. #}
{% macro as_of_date() -%}
    date '{{ var("as_of_date") or run_started_at.strftime("%Y-%m-%d") }}'
{%- endmacro %}

{# What is left after so many days; half after a half-life. Bounded, as power() may underflow. #}
{% macro decay(age_days, half_life_days) -%}
    power(0.5::double precision, least({{ age_days }}::double precision / {{ half_life_days }}, 100))
{%- endmacro %}

{# Damped noisy-OR over contributions from 0 to 100, the largest first (`position` counts from 0).
   A contribution of 100 leaves next to nothing, not nothing, of which there is no logarithm. #}
{% macro damped_noisy_or(contribution, position) -%}
    100 * (1 - exp(sum(
        ln(greatest(
            1 - {{ contribution }} / 100 * power({{ var("damping") }}::double precision, least({{ position }}, 60)),
            1e-12
        ))
        order by {{ position }}
    )))
{%- endmacro %}

{# The share of the worst, and of the weighted mean of all. #}
{% macro worst_and_mean(score, weight, tie_break) -%}
    {{ var("worst_share") }} * max({{ score }})
    + (1 - {{ var("worst_share") }})
    * sum({{ score }} * {{ weight }} order by {{ tie_break }}) / sum({{ weight }} order by {{ tie_break }})
{%- endmacro %}
