"""Supplier Risk: news over Pub/Sub, read by an LLM, scored by dbt, conducted by Dagster."""
