"""The engine: answers many calls, as many at once as the setting allows, each from the cache or
paid once. It knows nothing of risk: calls go in, answers come out, every attempt is a ledger row.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import psycopg
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from orchestration.crash_points import reach
from orchestration.errors import LlmError
from orchestration.ingestion import work_items
from orchestration.resources.llm import CallFailed, EndpointRefuses, Llm, open_llm
from orchestration.resources.postgres import Connection
from orchestration.scoring import ledger
from orchestration.scoring.calls import Answer, Call, judge, parse
from orchestration.scoring.ledger import Attempt
from orchestration.scoring.outage import Health
from orchestration.settings import LlmSettings

_GROUP_SECONDS = 0.02
_GROUP_SIZE = 200
_MAX_RETRY_AFTER_SECONDS = 60.0
_backoff = wait_random_exponential(multiplier=0.5, max=20)

In = TypeVar("In")
Out = TypeVar("Out")


def answer_all(
    connection: Connection,
    settings: LlmSettings,
    calls: Sequence[Call],
    run_id: str,
    keep_alive: Callable[[], None] = lambda: None,
) -> dict[str, Answer]:
    """Answers by cache key. Equal calls are asked once; known answers are not asked at all.

    `keep_alive` may use the connection; it is called every quarter of a lease until all is asked.
    Raises EndpointRefuses when no call can succeed until a setting changes, EndpointUnavailable
    when the endpoint answers nobody. What was answered before is in the cache.
    """
    by_key = {call.cache_key: call for call in calls}
    answers = {}
    for key, cached in ledger.find_cached(connection, list(by_key)).items():
        outcome, detail, reply = parse(by_key[key], cached.text)
        answers[key] = Answer(outcome, detail, False, reply, cached.response_id)
    unknown = [call for key, call in by_key.items() if key not in answers]
    if unknown:
        session = _Session(connection, settings, run_id, keep_alive)
        answers |= asyncio.run(session.ask(unknown))
    return answers


class _Grouped(Generic[In, Out]):
    """Collects the requests of many tasks for a moment and serves them with one database call."""

    def __init__(self, serve: Callable[[list[In]], Sequence[Out]], lock: asyncio.Lock) -> None:
        self._serve = serve
        self._lock = lock
        self._queue: asyncio.Queue[tuple[In, asyncio.Future[Out]]] = asyncio.Queue()

    async def request(self, item: In) -> Out:
        """Wait until the group that holds the item is served."""
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        await self._queue.put((item, future))
        return await future

    async def run(self) -> None:
        """Serve groups until cancelled."""
        while True:
            group = [await self._queue.get()]
            await asyncio.sleep(_GROUP_SECONDS)
            while len(group) < _GROUP_SIZE and not self._queue.empty():
                group.append(self._queue.get_nowait())
            await self._serve_group(group)

    async def _serve_group(self, group: Sequence[tuple[In, "asyncio.Future[Out]"]]) -> None:
        try:
            async with self._lock:
                served = await asyncio.to_thread(self._serve, [item for item, _ in group])
        except Exception as error:
            if len(group) > 1:  # only who is at fault shall hear of it
                for request in group:
                    await self._serve_group([request])
            elif not group[0][1].done():
                group[0][1].set_exception(error)
            return
        for (_, future), result in zip(group, served, strict=True):
            if not future.done():
                future.set_result(result)


class _Session:
    """The calls of one `answer_all`: one event loop, one client, one database connection."""

    def __init__(
        self,
        connection: Connection,
        settings: LlmSettings,
        run_id: str,
        keep_alive: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._key_works = ledger.was_answered(connection, run_id)
        self._keep_alive = keep_alive
        self._one_at_a_time = one_at_a_time = asyncio.Lock()
        deadline = settings.timeout_seconds * 1.5
        self._starts: _Grouped[Call, int] = _Grouped(
            lambda calls: ledger.start_attempts(connection, calls, run_id, deadline), one_at_a_time
        )
        self._saves: _Grouped[Attempt, int | None] = _Grouped(
            lambda attempts: ledger.save(connection, attempts), one_at_a_time
        )

    async def ask(self, calls: Sequence[Call]) -> Mapping[str, Answer]:
        """Ask all, `concurrency` at a time."""
        writers = [asyncio.create_task(w.run()) for w in (self._starts, self._saves)]
        queue = iter(calls)
        answers: dict[str, Answer] = {}
        at_once = min(self._settings.concurrency, len(calls))
        health = Health(len(calls), at_once, self._key_works)
        try:
            async with open_llm(self._settings) as llm, asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep())
                work = [self._work(llm, queue, health, answers) for _ in range(at_once)]
                await asyncio.wait([group.create_task(worker) for worker in work])
                keeper.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            for writer in writers:
                writer.cancel()
                with suppress(asyncio.CancelledError):
                    await writer
        return answers

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(work_items.LEASE_SECONDS / 4)
            async with self._one_at_a_time:
                await asyncio.to_thread(self._keep_alive)

    async def _work(
        self, llm: Llm, queue: Iterator[Call], health: Health, answers: dict[str, Answer]
    ) -> None:
        for call in queue:
            answers[call.cache_key] = await self._answer(llm, call, health)

    async def _answer(self, llm: Llm, call: Call, health: Health) -> Answer:
        started = 0
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(_is_transient),
                stop=stop_after_attempt(self._settings.max_attempts),
                wait=_wait,
                reraise=True,
            ):
                with attempt:
                    started += 1
                    answer = await self._attempt(llm, call, started)
                    health.answered()
                    return answer
        except CallFailed as failure:
            health.failed(failure)
            return Answer(failure.kind, failure.detail, failure.is_transient, calls=started)
        except (LlmError, psycopg.OperationalError):
            raise
        except Exception as error:  # a fault of one call must not take the others with it
            return Answer("internal_error", repr(error), True, calls=started, cost_usd=None)
        raise AssertionError("tenacity ends with an answer or an error")

    async def _attempt(self, llm: Llm, call: Call, started: int) -> Answer:
        attempt_id = await self._starts.request(call)
        reach("after_attempt_started")
        begin = time.monotonic()
        try:
            reply = await llm.complete(call.request)
        except (CallFailed, EndpointRefuses) as failure:
            await self._saves.request(_failed(attempt_id, call, failure, _since(begin)))
            raise
        reach("after_response_before_save")
        outcome, detail, parsed = judge(call, reply)
        cost = ledger.cost_usd(self._settings, reply)
        response_id = await self._saves.request(
            Attempt(
                attempt_id=attempt_id,
                cache_key=call.cache_key,
                outcome=outcome,
                latency_ms=_since(begin),
                reply=reply,
                error=detail or None,
                cost_usd=cost,
            )
        )
        return Answer(outcome, detail, False, parsed, response_id, started, cost)


def _failed(attempt_id: int, call: Call, failure: Exception, latency_ms: int) -> Attempt:
    if isinstance(failure, CallFailed):
        return Attempt(
            attempt_id=attempt_id,
            cache_key=call.cache_key,
            outcome=failure.kind,
            latency_ms=latency_ms,
            error=failure.detail,
            http_status=failure.http_status,
            request_id=failure.request_id,
        )
    return Attempt(attempt_id, call.cache_key, "endpoint_refuses", latency_ms, error=str(failure))


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, CallFailed) and error.is_transient


def _wait(state: RetryCallState) -> float:
    """What the endpoint asked for (Retry-After), else exponential with full jitter."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, CallFailed) and error.retry_after is not None:
        return min(error.retry_after, _MAX_RETRY_AFTER_SECONDS)
    return _backoff(state)


def _since(begin: float) -> int:
    return round((time.monotonic() - begin) * 1000)
