"""Doors to the outside: PostgreSQL, the broker, the LLM endpoint. No risk words in here."""
