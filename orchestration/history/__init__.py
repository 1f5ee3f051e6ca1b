"""What is done with what an LLM wrote: replay, compare, roll back, explain, review, purge."""
