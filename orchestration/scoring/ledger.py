"""The ledger: each request, each attempt with its cost, each raw answer. Rows are only added.

An attempt is committed before its call, so a crash leaves a visible attempt and no hidden charge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from genai_prices import Usage, calc_price
from psycopg.types.json import Jsonb

from orchestration.resources.llm import Reply
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.calls import OK, Call
from orchestration.settings import LlmSettings


@dataclass(frozen=True)
class CachedAnswer:
    """A good answer that was paid for earlier."""

    response_id: int
    text: str


@dataclass(frozen=True)
class Attempt:
    """A started attempt, now ended: with a reply, or with an error and no body."""

    attempt_id: int
    cache_key: str
    outcome: str
    latency_ms: int
    reply: Reply | None = None
    error: str | None = None
    http_status: int | None = None
    request_id: str | None = None
    cost_usd: Decimal | None = None


def find_cached(connection: Connection, cache_keys: Sequence[str]) -> dict[str, CachedAnswer]:
    """Good answers by cache key."""
    rows = connection.execute(
        "select cache_key, response_id, answer from llm.responses"
        " where outcome = 'ok' and cache_key = any(%s)",
        [list(cache_keys)],
    )
    return {row["cache_key"]: CachedAnswer(row["response_id"], row["answer"]) for row in rows}


def start_attempts(
    connection: Connection, calls: Sequence[Call], run_id: str, timeout_seconds: float
) -> list[int]:
    """Keep the requests and commit one started attempt for each call; ids in the same order."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into llm.requests (
                cache_key, step, prompt_version, model, parameters, messages
            ) values (%s, %s, %s, %s, %s, %s)
            on conflict (cache_key) do nothing
            """,
            [
                (
                    call.cache_key,
                    call.prompt.step,
                    call.prompt.version,
                    call.llm.model,
                    Jsonb(dict(call.request.parameters)),
                    Jsonb(list(call.request.messages)),
                )
                for call in calls
            ],
        )
        rows = connection.execute(
            """
            insert into llm.attempts (cache_key, item_id, run_id, deadline)
            select cache_key, item_id, %s, clock_timestamp() + make_interval(secs => %s)
            from unnest(%s::text[], %s::bigint[])
                with ordinality as wanted (cache_key, item_id, position)
            order by position
            returning attempt_id
            """,
            [
                run_id,
                timeout_seconds,
                [call.cache_key for call in calls],
                [call.item_id for call in calls],
            ],
        )
        return sorted(row["attempt_id"] for row in rows)


def save(connection: Connection, attempts: Sequence[Attempt]) -> list[int | None]:
    """End the attempts and keep their raw answers; response ids in the same order."""
    with connection.transaction():
        with connection.cursor() as cursor:
            cursor.executemany(
                """
                update llm.attempts set
                    finished_at = clock_timestamp(), outcome = %s, http_status = %s,
                    request_id = %s, latency_ms = %s, input_tokens = %s, cached_tokens = %s,
                    output_tokens = %s, cost_usd = %s, error = %s
                where attempt_id = %s
                """,
                [_attempt_row(attempt) for attempt in attempts],
            )
        return [_keep_response(connection, attempt) for attempt in attempts]


def was_answered(connection: Connection, run_id: str) -> bool:
    """Whether a call of this run came back with a good answer."""
    row = one(
        connection,
        "select exists (select from llm.attempts where run_id = %s and outcome = 'ok') as found",
        [run_id],
    )
    return bool(row["found"])


def close_abandoned(connection: Connection) -> int:
    """Give attempts whose run was killed an outcome: their answer, if any, was lost and paid."""
    return connection.execute(
        """
        update llm.attempts
        set finished_at = clock_timestamp(), outcome = 'abandoned',
            error = 'the run ended before the answer was saved'
        where finished_at is null and deadline < clock_timestamp()
        """
    ).rowcount


def find_call(connection: Connection, response_id: int) -> dict[str, Any] | None:
    """One answer with its request and all attempts at it; None if there is no such answer."""
    found = connection.execute(
        """
        select
            responses.response_id, responses.outcome, responses.finish_reason, responses.answer,
            responses.created_at, requests.cache_key, requests.step, requests.prompt_version,
            requests.model, requests.parameters, requests.messages
        from llm.responses
        inner join llm.requests using (cache_key)
        where responses.response_id = %s
        """,
        [response_id],
    ).fetchone()
    if found is None:
        return None
    attempts = connection.execute(
        """
        select
            attempt_id, run_id, started_at, outcome, http_status, latency_ms, input_tokens,
            output_tokens, cost_usd, error
        from llm.attempts
        where cache_key = %s
        order by attempt_id
        """,
        [found["cache_key"]],
    ).fetchall()
    return {**found, "attempts": attempts}


def cost_usd(settings: LlmSettings, reply: Reply) -> Decimal | None:
    """Price of one reply in US dollars: configured prices, else genai-prices, else unknown."""
    if reply.input_tokens is None or reply.output_tokens is None:
        return None
    if settings.input_usd_per_million is not None and settings.output_usd_per_million is not None:
        million = Decimal(1_000_000)
        return (
            reply.input_tokens * Decimal(str(settings.input_usd_per_million)) / million
            + reply.output_tokens * Decimal(str(settings.output_usd_per_million)) / million
        )
    usage = Usage(
        input_tokens=reply.input_tokens,
        cache_read_tokens=reply.cached_tokens or 0,
        output_tokens=reply.output_tokens,
    )
    try:
        return Decimal(calc_price(usage, settings.model).total_price)
    except LookupError:
        return None


def _attempt_row(attempt: Attempt) -> tuple[object, ...]:
    reply = attempt.reply
    return (
        attempt.outcome,
        200 if reply else attempt.http_status,
        reply.request_id if reply else attempt.request_id,
        attempt.latency_ms,
        reply.input_tokens if reply else None,
        reply.cached_tokens if reply else None,
        reply.output_tokens if reply else None,
        attempt.cost_usd,
        attempt.error.replace("\x00", "") if attempt.error else None,
        attempt.attempt_id,
    )


def _keep_response(connection: Connection, attempt: Attempt) -> int | None:
    """Insert the answer. Another run's good answer to the same request counts instead of ours."""
    if attempt.reply is None:
        return None
    content = attempt.reply.content or attempt.reply.refusal
    row = connection.execute(
        """
        insert into llm.responses (
            attempt_id, cache_key, outcome, finish_reason, answer, raw_body
        ) values (%s, %s, %s, %s, %s, %s)
        on conflict (cache_key) where outcome = 'ok' do nothing
        returning response_id
        """,
        [
            attempt.attempt_id,
            attempt.cache_key,
            attempt.outcome,
            attempt.reply.finish_reason,
            content.replace("\x00", "") if content else None,
            attempt.reply.raw_body,
        ],
    ).fetchone()
    if row is None and attempt.outcome == OK:
        row = connection.execute(
            "select response_id from llm.responses where outcome = 'ok' and cache_key = %s",
            [attempt.cache_key],
        ).fetchone()
    return row["response_id"] if row else None
