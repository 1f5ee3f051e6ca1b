{# The first day whose usage is computed anew: calls end and answers are committed a little late, and
   a call whose run was killed is closed by the next run, whenever that comes. #}
{% macro usage_from_day() -%}
    {%- set first_day = '-infinity' -%}
    {%- if execute and is_incremental() -%}
        {%- set days = run_query(
            "select least("
            ~ as_of_date() ~ " - " ~ var('usage_late_days') ~ ","
            ~ " coalesce(max(day) - " ~ var('usage_late_days') ~ ", '-infinity'),"
            ~ " min(day) filter (where unfinished > 0)"
            ~ ")::text from " ~ this
        ) -%}
        {%- set first_day = days.columns[0].values()[0] -%}
    {%- endif -%}
    date '{{ first_day }}'
{%- endmacro %}

{# Moments of the days that are computed, as an index on the column can find them. #}
{% macro is_in_usage_days(moment) -%}
    {{ moment }} >= {{ usage_from_day() }}::timestamp at time zone 'utc'
    and {{ moment }} < ({{ as_of_date() }} + 1)::timestamp at time zone 'utc'
{%- endmacro %}

{# Incremental strategy: the days from that one on are replaced, those after as_of_date removed. #}
{% macro get_incremental_replace_days_sql(arg_dict) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arg_dict['target_relation'] }}
    where day >= {{ usage_from_day() }};

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
