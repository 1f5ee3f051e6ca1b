"""Names by which sensors and commands ask for Dagster jobs. definitions.py asserts that they exist."""

SCORE_PENDING = "score_pending"
