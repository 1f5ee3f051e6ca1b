"""The marts at size: a synthetic world of findings, and what dbt needs to build and refresh them."""
