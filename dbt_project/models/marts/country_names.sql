{{ config(materialized='view') }}

select
    country,
    country_name,
    country_iso3,
    region
from {{ ref('countries') }}
