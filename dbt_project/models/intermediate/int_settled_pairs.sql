-- depends_on: {{ ref('int_refresh') }}

select
    pairs.pair_number,
    pairs.supplier_id,
    pairs.country
from {{ ref('int_pairs_to_score') }} as pairs
where not exists (
    select from {{ ref('int_changes') }} as changes
    where
        changes.changed_in >= {{ refresh_value('read_to') or 0 }}
        and changes.supplier_id = pairs.supplier_id
        and changes.country = pairs.country
)
