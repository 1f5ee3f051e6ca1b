-- depends_on: {{ ref('supplier_risk_current') }}
-- depends_on: {{ ref('risk_changes') }}
-- depends_on: {{ ref('risk_events') }}
-- depends_on: {{ ref('risk_evidence') }}
{{ config(materialized='table') }}

select * from {{ ref('int_refresh') }}
