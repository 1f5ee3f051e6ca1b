"""Names by which sensors and commands ask for Dagster jobs; definitions.py asserts them."""

SCORE_PENDING = "score_pending"
REFRESH_MARTS = "refresh_marts"
HANDLE_DEAD_LETTERS = "handle_dead_letters"
POLL_FEEDS = "poll_feeds"
REPLAY = "replay"
PURGE_BODIES = "purge_bodies"
REFRESH_DASHBOARDS = "refresh_dashboards"
SEND_DAILY_DIGEST = "send_daily_digest"
ALL = (
    SCORE_PENDING,
    REFRESH_MARTS,
    HANDLE_DEAD_LETTERS,
    POLL_FEEDS,
    REPLAY,
    PURGE_BODIES,
    REFRESH_DASHBOARDS,
    SEND_DAILY_DIGEST,
)
