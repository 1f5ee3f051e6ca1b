"""The ledger: each request, each attempt with its cost, each raw answer. Rows are only added; a
purge takes the bodies of old ones away.

An attempt is committed before its call, so a crash leaves a visible attempt and no hidden charge.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from orchestration.ingestion import budget
from orchestration.resources.llm import Reply
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.asking import Asking
from orchestration.scoring.attempts import Attempt
from orchestration.scoring.calls import OK


@dataclass(frozen=True)
class CachedAnswer:
    """A good answer that was paid for earlier."""

    response_id: int
    text: str


def find_cached(connection: Connection, cache_keys: Sequence[str]) -> dict[str, CachedAnswer]:
    """Good answers by cache key; purged ones answer nothing any more."""
    rows = connection.execute(
        "select cache_key, response_id, answer from llm.responses"
        " where outcome = 'ok' and purged_at is null and cache_key = any(%s)",
        [list(cache_keys)],
    )
    return {row["cache_key"]: CachedAnswer(row["response_id"], row["answer"]) for row in rows}


def start_attempts(
    connection: Connection,
    group: Sequence[Asking],
    run_id: str,
    timeout_seconds: float,
    budgets: Mapping[str, Decimal],
) -> list[int]:
    """Keep the requests, also those whose messages were purged, and commit one started attempt for
    each; ids in the same order, of as many as the budgets have room for."""
    requests = {asking.key: asking for asking in group}
    with connection.transaction():
        connection.execute(
            """
            insert into llm.requests as requests (
                cache_key, step, prompt_version, model, parameters, messages
            )
            select * from unnest(
                %s::text[], %s::text[], %s::text[], %s::text[], %b::jsonb[], %b::jsonb[]
            )
            on conflict (cache_key) do update set messages = excluded.messages
            where requests.messages is null
            """,
            _columns(
                6,
                (
                    (
                        key,
                        asking.call.prompt.step,
                        asking.call.prompt.version,
                        asking.call.llm.model,
                        Jsonb(dict(asking.request.parameters)),
                        Jsonb(list(asking.request.messages)),
                    )
                    for key, asking in sorted(requests.items())
                ),
            ),
        )
        costs = [asking.most_usd for asking in group]
        count = budget.room_for(connection, budgets, run_id, costs)
        attempts = (
            (asking.key, asking.call.cache_key, asking.call.item_id, cost)
            for asking, cost in zip(group[:count], costs, strict=False)
        )
        rows = connection.execute(
            """
            insert into llm.attempts (
                cache_key, question_key, item_id, reserved_usd, run_id, deadline
            )
            select
                cache_key, question_key, item_id, reserved_usd, %s,
                clock_timestamp() + make_interval(secs => %s)
            from unnest(%s::text[], %s::text[], %s::bigint[], %s::numeric[])
                with ordinality as wanted (cache_key, question_key, item_id, reserved_usd, position)
            order by position
            returning attempt_id
            """,
            [run_id, timeout_seconds, *_columns(4, attempts)],
        )
        return sorted(row["attempt_id"] for row in rows)


def save(connection: Connection, attempts: Sequence[Attempt]) -> dict[int, int]:
    """End the attempts and keep their raw answers; response ids by attempt id."""
    if not attempts:
        return {}
    with connection.transaction():
        ids = _keep_responses(connection, attempts)
        connection.execute(
            """
            update llm.attempts set
                finished_at = clock_timestamp(), outcome = ended.outcome,
                http_status = ended.http_status, request_id = ended.request_id,
                latency_ms = ended.latency_ms, input_tokens = ended.input_tokens,
                cached_tokens = ended.cached_tokens, output_tokens = ended.output_tokens,
                cost_usd = ended.cost_usd, error = ended.error
            from unnest(
                %s::bigint[], %s::text[], %s::integer[], %s::text[], %s::integer[],
                %s::integer[], %s::integer[], %s::integer[], %s::numeric[], %s::text[]
            ) as ended (
                attempt_id, outcome, http_status, request_id, latency_ms,
                input_tokens, cached_tokens, output_tokens, cost_usd, error
            )
            where attempts.attempt_id = ended.attempt_id
            """,
            _columns(10, (_attempt_row(attempt) for attempt in attempts)),
        )
    return ids


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
    """One answer with its request and all attempts at it; None if there is no such answer. Without
    `messages`, or with a time in `purged_at`, the body was purged."""
    found = connection.execute(
        """
        select
            responses.response_id, responses.outcome, responses.finish_reason, responses.answer,
            responses.created_at, responses.purged_at, responses.cache_key, requests.step,
            requests.prompt_version, requests.model, requests.parameters, requests.messages
        from llm.responses
        inner join llm.attempts using (attempt_id)
        inner join llm.requests on requests.cache_key = attempts.cache_key
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
        where question_key = %s
        order by attempt_id
        """,
        [found["cache_key"]],
    ).fetchall()
    return {**found, "attempts": attempts}


def _attempt_row(attempt: Attempt) -> tuple[object, ...]:
    reply = attempt.reply
    return (
        attempt.attempt_id,
        attempt.outcome,
        200 if reply else attempt.http_status,
        _storable(reply.request_id if reply else attempt.request_id),
        attempt.latency_ms,
        reply.input_tokens if reply else None,
        reply.cached_tokens if reply else None,
        reply.output_tokens if reply else None,
        attempt.cost_usd,
        _storable(attempt.error),
    )


def _keep_responses(connection: Connection, attempts: Sequence[Attempt]) -> dict[int, int]:
    """Another run's good answer to the same question counts instead of ours."""
    rows = connection.execute(
        """
        insert into llm.responses (
            attempt_id, cache_key, outcome, finish_reason, answer, raw_body
        )
        select * from unnest(
            %s::bigint[], %s::text[], %s::text[], %s::text[], %b::text[], %b::bytea[]
        )
        on conflict (cache_key) where outcome = 'ok' and purged_at is null do nothing
        returning attempt_id, response_id
        """,
        _columns(6, (_response_row(a, a.reply) for a in attempts if a.reply)),
    )
    ids = {row["attempt_id"]: row["response_id"] for row in rows}
    others = [a for a in attempts if a.outcome == OK and a.attempt_id not in ids]
    if others:
        known = find_cached(connection, [attempt.cache_key for attempt in others])
        ids |= {attempt.attempt_id: known[attempt.cache_key].response_id for attempt in others}
    return ids


def _response_row(attempt: Attempt, reply: Reply) -> tuple[object, ...]:
    return (
        attempt.attempt_id,
        attempt.cache_key,
        attempt.outcome,
        _storable(reply.finish_reason),
        _storable(reply.content or reply.refusal),
        reply.raw_body,
    )


def _storable(words: str | None) -> str | None:
    """Without what no text column can hold."""
    return words.replace("\x00", "").encode(errors="replace").decode() if words else None


def _columns(width: int, rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    """Rows as the arrays that unnest takes."""
    columns: list[list[object]] = [[] for _ in range(width)]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns
