{# How a refresh redoes only what changed. int_refresh decides once for all models of a build. #}

{# Whether a table that is only ever repaired is not there to be repaired. #}
{% macro is_a_table_missing() %}
    {% if execute %}
        {% for node in graph.nodes.values() if node.config.materialized == 'incremental' %}
            {% if not load_relation(api.Relation.create(
                database=node.database, schema=node.schema, identifier=node.alias
            )) %}
                {{ return(true) }}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return(false) }}
{% endmacro %}

{# What the last complete build wrote down; none if it is of no use. #}
{% macro last_refresh() %}
    {% if execute and not flags.FULL_REFRESH and not is_a_table_missing() %}
        {{ return(load_relation(this.incorporate(path={'identifier': 'last_refresh'}))) }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}

{# Whether this build makes everything that last_refresh vouches for. #}
{% macro is_whole_build() %}
    {% set missing = model.depends_on.nodes | reject('in', selected_resources) | list %}
    {{ return('false' if execute and missing else 'true') }}
{% endmacro %}

{# From its first table on, a full build makes what an earlier one vouched for untrue. #}
{% macro forget_last_refresh() %}
    {% set last = load_relation(this.incorporate(path={'identifier': 'last_refresh'})) if execute %}
    {% if last %}
        delete from {{ last }} where (select is_full from {{ this }})
    {% else %}
        select 1
    {% endif %}
{% endmacro %}

{# Changes with every model, with what is set for them, and with every formula of the policy. #}
{% macro code_version() %}
    {% set parts = [policy_formulas()] %}
    {% if execute %}
        {% for name in ['history_days', 'trend_days', 'trend_weeks', 'usage_late_days'] %}
            {% do parts.append(name ~ var(name)) %}
        {% endfor %}
        {% for node in graph.nodes.values() if node.resource_type in ['model', 'seed'] %}
            {% do parts.append(node.name ~ node.checksum.checksum) %}
        {% endfor %}
    {% endif %}
    {{ return(local_md5(parts | sort | join('|'))[:12]) }}
{% endmacro %}

{# A value of int_refresh as a literal, so that the planner knows how little is asked for. #}
{% macro refresh_value(column) %}
    {% if execute and load_relation(ref('int_refresh')) %}
        {% set found = run_query('select ' ~ column ~ ' as found from ' ~ ref('int_refresh')) %}
        {{ return(found.columns[0].values()[0] if found.rows | length else none) }}
    {% endif %}
{% endmacro %}

{# Overrides dbt's: a full refresh is also due when int_refresh says so. Rows that hold an age
   (meta: {ages: true}) are all written anew when a day has begun. #}
{% macro should_full_refresh() %}
    {% if not execute or flags.FULL_REFRESH %}{{ return(flags.FULL_REFRESH) }}{% endif %}
    {% if config.get('materialized') != 'incremental' %}{{ return(false) }}{% endif %}
    {% set due = 'is_full or is_new_day' if config.get('meta', {}).get('ages') else 'is_full' %}
    {{ return(refresh_value(due)) }}
{% endmacro %}

{# Replaces the rows of the pairs that int_pairs_to_score lists; of a model with a day, only from
   the day on that changed. Days before the history begins are dropped. #}
{% macro get_incremental_replace_pairs_sql(arguments) %}
    {% set target = arguments['target_relation'] %}
    {% set names = arguments['dest_columns'] | map(attribute='name') | list %}
    {% set columns = names | map('tojson') | join(', ') %}
    delete from {{ target }} as old
    using {{ ref('int_pairs_to_score') }} as pairs
    where
        {% if 'pair_number' in names %}
            old.pair_number = pairs.pair_number and pairs.findings_changed
        {% else %}
            old.supplier_id = pairs.supplier_id and old.country = pairs.country
        {% endif %}
        {% if 'day' in names %}
            and old.day >= pairs.from_day
        {% endif %};
    {% if 'day' in names %}
        delete from {{ target }} where day < (select history_from from {{ ref('int_refresh') }});
    {% endif %}
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arguments['temp_relation'] }};
{% endmacro %}
