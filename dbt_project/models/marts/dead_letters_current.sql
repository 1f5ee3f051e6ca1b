{{ config(materialized='view') }}

with dead_letters as (
    select * from {{ ref('stg_dead_letters') }}
),

suppliers as (
    select * from {{ ref('stg_suppliers') }}
),

final as (
    select
        dead_letters.dead_letter_id,
        dead_letters.step,
        dead_letters.reason,
        dead_letters.last_error,
        dead_letters.attempts,
        dead_letters.document_id,
        dead_letters.title,
        dead_letters.supplier_id,
        suppliers.supplier_name,
        dead_letters.country,
        dead_letters.batch_id,
        dead_letters.dead_since
    from dead_letters
    left join suppliers using (supplier_id)
)

select * from final
