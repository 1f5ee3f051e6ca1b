{% test is_between(model, column_name, lowest, highest) %}
select * from {{ model }}
where {{ column_name }} < {{ lowest }} or {{ column_name }} > {{ highest }}
{% endtest %}

{% test is_unique_together(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{% test adds_up(model, whole, parts) %}
select * from {{ model }}
where {{ whole }} <> {{ parts }}
{% endtest %}
