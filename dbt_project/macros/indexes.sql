{# An index of some rows, which dbt's own setting `indexes` cannot say; made if there is none. #}
{% macro index_of_some(columns, condition) %}
    do $$ begin
        if not exists (
            select from pg_index where indrelid = '{{ this }}'::regclass and indpred is not null
        ) then
            create index on {{ this }} ({{ columns }}) where {{ condition }};
        end if;
    end $$
{% endmacro %}
