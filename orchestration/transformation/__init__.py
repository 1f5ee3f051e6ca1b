"""From findings to scores: the dbt project as Dagster assets. The formulas are in dbt_project/."""
