"""Names by which sensors and commands ask for Dagster jobs; definitions.py asserts them."""

SCORE_PENDING = "score_pending"
REFRESH_MARTS = "refresh_marts"
POLL_FEEDS = "poll_feeds"
