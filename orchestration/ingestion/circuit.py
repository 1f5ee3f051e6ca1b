"""The circuit before the LLM endpoint: open after a run found that no call can succeed.

While it is open no run is requested before the next trial; each failed trial doubles the wait. The
first run in which a call is answered closes it. A run that a person starts is not held back.
"""

from datetime import UTC, datetime

from orchestration.resources.postgres import Connection
from orchestration.settings import LlmSettings

_FIRST_WAIT_SECONDS = 60
_LONGEST_WAIT_SECONDS = 900


def trip(connection: Connection, llm: LlmSettings, reason: str) -> None:
    """Open it, or keep it open for twice as long as before."""
    connection.execute(
        """
        insert into llm.open_circuits (base_url, model, reason, trial_at)
        values (%(url)s, %(model)s, %(reason)s, now() + make_interval(secs => %(first)s))
        on conflict (base_url, model) do update
        set
            reason = excluded.reason,
            failures = open_circuits.failures + 1,
            trial_at = now() + make_interval(
                secs => least(%(longest)s, %(first)s * 2.0 ^ least(open_circuits.failures, 30))
            )
        """,
        {
            "url": llm.base_url,
            "model": llm.model,
            "reason": reason.replace("\x00", "")[:2_000],
            "first": _FIRST_WAIT_SECONDS,
            "longest": _LONGEST_WAIT_SECONDS,
        },
    )


def close(connection: Connection, llm: LlmSettings) -> None:
    """A call was answered."""
    connection.execute(
        "delete from llm.open_circuits where base_url = %s and model = %s",
        [llm.base_url, llm.model],
    )


def obstacle(connection: Connection, llm: LlmSettings) -> str | None:
    """Why no run should be requested now, with the time of the next trial."""
    row = connection.execute(
        "select reason, trial_at from llm.open_circuits"
        " where base_url = %s and model = %s and trial_at > now()",
        [llm.base_url, llm.model],
    ).fetchone()
    if row is None:
        return None
    trial_at: datetime = row["trial_at"].astimezone(UTC)
    return f"no run before {trial_at:%H:%M:%S} UTC, as no call succeeds: {row['reason']}"
