"""How long bodies are kept: old prompts and answers are purged; hashes, outcomes and costs stay.

Rows are purged in batches, each in a transaction of its own; rows that a run holds wait for the
next purge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

from orchestration.resources.postgres import Connection, one
from orchestration.settings import HistorySettings

BATCH = 2_000
NOTHING_SET = (
    "Nothing is purged: set HISTORY_KEEP_PROMPTS_DAYS, HISTORY_KEEP_ANSWERS_DAYS or both to the "
    "days that bodies of prompts and answers are kept."
)

# A prompt that was asked again is as old as its newest attempt.
_OLD: Mapping[str, LiteralString] = {
    "prompts": """
        select cache_key from llm.requests
        where
            messages is not null and created_at < %(before)s
            and not exists (
                select from llm.attempts
                where attempts.cache_key = requests.cache_key and started_at >= %(before)s
            )
    """,
    "answers": """
        select response_id from llm.responses
        where purged_at is null and created_at < %(before)s
    """,
}
_PURGE: Mapping[str, LiteralString] = {
    "prompts": f"""
        with old as ({_OLD["prompts"]} order by created_at limit %(batch)s
            for no key update skip locked)
        update llm.requests set messages = null
        from old
        where requests.cache_key = old.cache_key
    """,
    "answers": f"""
        with old as ({_OLD["answers"]} order by created_at limit %(batch)s
            for no key update skip locked),

        forgotten as (
            delete from llm.response_words using old
            where response_words.response_id = old.response_id
        )

        update llm.responses set
            answer = null, raw_body = null, raw_sha256 = sha256(raw_body),
            purged_at = clock_timestamp()
        from old
        where responses.response_id = old.response_id
    """,
}


@dataclass(frozen=True)
class Limits:
    """Bodies that were written before these moments go; None: none does."""

    prompts: datetime | None
    answers: datetime | None

    def given(self) -> dict[str, datetime]:
        """What is purged, and the moment before which."""
        both = {"prompts": self.prompts, "answers": self.answers}
        return {what: before for what, before in both.items() if before is not None}


def limits(settings: HistorySettings, now: datetime) -> Limits:
    """The settings' days, counted back from now."""
    return Limits(
        _days_before(now, settings.keep_prompts_days),
        _days_before(now, settings.keep_answers_days),
    )


def count(connection: Connection, wanted: Limits) -> dict[str, int]:
    """How many prompts and answers a purge would take."""
    return {
        what: one(
            connection, f"select count(*) as old from ({_OLD[what]}) as old", {"before": before}
        )["old"]
        for what, before in wanted.given().items()
    }


def purge(connection: Connection, wanted: Limits, batch: int = BATCH) -> dict[str, int]:
    """Take the bodies away; how many prompts and answers it took."""
    return {
        what: _purge(connection, _PURGE[what], {"before": before, "batch": batch})
        for what, before in wanted.given().items()
    }


def sentence(counts: Mapping[str, int], wanted: Limits, verb: str = "purged") -> str:
    """What went, or would go, and how old it is."""
    parts = [
        f"{counts[what]:,} {what} of before {before.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        for what, before in wanted.given().items()
    ]
    return f"{' and '.join(parts)} {verb}" if parts else NOTHING_SET


def _purge(connection: Connection, query: LiteralString, values: Mapping[str, object]) -> int:
    total = 0
    while purged := connection.execute(query, values).rowcount:
        total += purged
    return total


def _days_before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)
