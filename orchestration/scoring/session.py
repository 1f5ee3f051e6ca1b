"""One session of the engine: as many calls at once as the endpoint bears, and their books.

One event loop sends. One thread beside it has the database connection and works in groups: attempts
are committed ahead of the slots that come free, answers are saved and handed over together.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

import psycopg

from orchestration.crash_points import reach
from orchestration.ingestion import budget, work_items
from orchestration.resources.llm import CallFailed, EndpointRefuses, Reply, open_llm
from orchestration.resources.postgres import Connection
from orchestration.scoring import ledger
from orchestration.scoring.admission import Admission
from orchestration.scoring.asking import Asking, Ended
from orchestration.scoring.attempts import Attempt, failed_attempt
from orchestration.scoring.calls import Answer, Call, Work, judge, parse
from orchestration.scoring.outage import Health
from orchestration.scoring.pacing import Pace
from orchestration.scoring.prices import priced_budgets, reply_usd
from orchestration.settings import LlmSettings

_GROUP_SECONDS = 0.02
_GROUP_SIZE = 200
_MOST_OPEN = 1_000
# Timeouts until an attempt counts as abandoned: it may wait for a slot before it is sent.
_PATIENCE = 3
_PUSHED_BACK = {"rate_limited", "server_error", "timeout"}

T = TypeVar("T")


def most_started(limit: int) -> int:
    """Attempts that are committed and have not ended, while so many may be in flight at once."""
    return limit + limit // 2


def most_unsaved(limit: int) -> int:
    """Attempts whose end a kill leaves unknown: those that have not ended, and as many that ended
    while the database was at work. Of these the paid ones are paid once more."""
    return 2 * most_started(limit)


class Session:
    """One event loop, one client, one database connection.

    A question waits, is started (its attempt is committed) and sent; its attempt has ended when
    something came back, and then it is answered or waits for its next attempt. The loop's thread
    sends and judges; `_turn` runs in the database's thread, one at a time.
    """

    def __init__(
        self, connection: Connection, settings: LlmSettings, run_id: str, work: Work
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._run_id = run_id
        self._work = work
        self._open: dict[str, Asking] = {}
        self._waiting: deque[Asking] = deque()
        self._started: deque[Asking] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._ended: list[Ended] = []
        self._doubtful: list[tuple[int, Ended]] = []
        self._has_more = True
        self._is_closing = False
        self._is_short = False
        self._trouble: BaseException | None = None
        self._something_happened = asyncio.Event()
        self._admission = Admission(settings.concurrency)
        self._pace = Pace(connection, settings)
        self._budgets = priced_budgets(settings)
        self._health = Health(ledger.was_answered(connection, run_id))

    async def run(self) -> None:
        """Until the work has no more calls and all are answered."""
        with ThreadPoolExecutor(1, "database") as self._database:
            async with open_llm(self._settings) as self._llm:
                keeper = asyncio.create_task(self._keep_alive())
                keeper.add_done_callback(self._noticed)
                try:
                    await self._keep_books()
                finally:
                    self._is_closing = True
                    for task in (keeper, *self._in_flight):
                        task.cancel()
                    await asyncio.gather(keeper, *self._in_flight, return_exceptions=True)
                    with suppress(psycopg.Error):  # what ended the session shall be heard
                        await self._in_database(self._give_up)

    async def _keep_books(self) -> None:
        """Turn by turn; what a group holds gathers meanwhile."""
        while self._open or self._has_more:
            self._something_happened.clear()
            count = len(self._ended)
            await self._in_database(partial(self._turn, self._ended[:count]))
            del self._ended[:count]
            if self._trouble:
                raise self._trouble
            self._send()
            await self._stop_if_short()
            self._settle_doubtful()
            if self._open and not self._ended and not self._takes_more():
                await self._rest()

    async def _stop_if_short(self) -> None:
        """Nothing comes free any more of what a budget has too little of."""
        if not self._is_short or self._started or self._in_flight or self._ended:
            return
        find = partial(budget.obstacle, self._connection, self._settings, self._run_id)
        if reason := await self._in_database(find):
            raise budget.BudgetReached(reason)
        self._something_happened.set()

    async def _rest(self) -> None:
        """Until the next turn has something to do."""
        if (self._waiting or self._started) and self._pace.seconds_to_wait:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._pace.seconds_to_wait, 1.0)):
                    await self._something_happened.wait()
        elif not self._is_behind():
            await self._something_happened.wait()
        await asyncio.sleep(_GROUP_SECONDS)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(work_items.LEASE_SECONDS / 4)
            await self._in_database(self._work.keep_alive)

    async def _in_database(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._database, action)

    def _turn(self, ended: Sequence[Ended]) -> None:
        """Save what ended, hand over what is answered, take more, start the next."""
        saved = [
            one
            for begin in range(0, len(ended), _GROUP_SIZE)
            for one in self._save(ended[begin : begin + _GROUP_SIZE])
        ]
        if saved:
            self._take(self._work.keep(saved))
        if self._takes_more():
            calls = self._work.more()
            self._has_more = calls is not None
            self._take(calls or [])
        self._start()

    def _takes_more(self) -> bool:
        """Not while enough waits, or so much is open, between tries or in doubt, that it becomes a
        heap."""
        most = self._settings.concurrency
        is_full = len(self._waiting) >= most or len(self._open) >= _MOST_OPEN + 2 * most
        return self._has_more and not is_full

    def _save(self, group: Sequence[Ended]) -> list[tuple[Call, Answer]]:
        """The answers. Together; where that fails, one by one: only who is at fault hears of it."""
        try:
            ids = ledger.save(self._connection, [e.attempt for e in group if e.attempt])
        except psycopg.OperationalError:
            raise
        except Exception as error:
            if len(group) > 1:
                return [pair for each in group for pair in self._save([each])]
            if group[0].answer is None:  # its question goes on, its attempt ends as abandoned
                return []
            answer = Answer("internal_error", f"saving the answer: {error!r}", True, cost_usd=None)
            group, ids = [replace(group[0], attempt=None, answer=answer)], {}
        answered = [e for e in group if e.answer]
        for each in answered:
            del self._open[each.asking.call.cache_key]
        return [pair for one in answered for pair in one.answers(ids)]

    def _take(self, calls: Sequence[Call]) -> None:
        """What the cache knows needs no asking; equal calls are asked once."""
        if not calls:
            return
        known = ledger.find_cached(self._connection, [call.cache_key for call in calls])
        answered = []
        for call in calls:
            if cached := known.get(call.cache_key):
                outcome, detail, reply = parse(call, cached.text)
                answer = Answer(outcome, detail, False, reply, cached.response_id)
                answered.append((call, answer))
            elif asking := self._open.get(call.cache_key):
                asking.calls.append(call)
            else:
                asking = Asking(call)
                self._open[call.cache_key] = asking
                self._waiting.append(asking)
                self._health.expect(call.item_id)
        if answered:
            self._take(self._work.keep(answered))

    def _start(self) -> None:
        """Commit attempts for the slots that are free, and for some that soon will be."""
        room = min(len(self._waiting), self._room())
        count = self._pace.lease([asking.tokens for asking in list(self._waiting)[:room]])
        group = [self._waiting.popleft() for _ in range(count)]
        self._is_short = False
        if group:
            self._commit(group)

    def _commit(self, group: Sequence[Asking]) -> None:
        seconds = self._settings.timeout_seconds * _PATIENCE
        try:
            ids = ledger.start_attempts(
                self._connection, group, self._run_id, seconds, self._budgets
            )
        except psycopg.OperationalError:
            raise
        except Exception as error:  # only who is at fault shall hear of it
            if len(group) > 1:
                for asking in group:
                    self._commit([asking])
            else:
                fault = f"keeping the request: {error!r}"
                answer = Answer("internal_error", fault, True, cost_usd=None)
                self._ended.append(Ended(group[0], None, answer))
            return
        for asking, attempt_id in zip(group, ids, strict=False):
            asking.attempt_id = attempt_id
        self._started.extend(group[: len(ids)])
        if unpaid := group[len(ids) :]:
            self._waiting.extendleft(reversed(unpaid))
            self._is_short = True

    def _room(self) -> int:
        under_way = len(self._in_flight) + len(self._started)
        return max(0, most_started(self._admission.limit) - under_way)

    def _is_behind(self) -> bool:
        """Whether slots may come free before something happens that starts another turn."""
        if self._is_short:  # until a reservation comes free
            return False
        return bool(self._waiting) and self._room() > self._admission.limit // 4

    def _give_up(self) -> None:
        """An attempt that was started and not sent says so; what ended is kept where it was not."""
        unsent = [Attempt(a.attempt_id, a.key, "not_sent", 0) for a in self._started]
        ledger.save(self._connection, unsent)
        for attempt in (one.attempt for one in self._ended if one.attempt):
            with suppress(psycopg.IntegrityError, psycopg.DataError):
                ledger.save(self._connection, [attempt])

    def _send(self) -> None:
        if self._is_closing or self._trouble or self._pace.is_held():
            return
        while self._started and len(self._in_flight) < self._admission.limit:
            task = asyncio.create_task(self._attempt(self._started.popleft()))
            self._in_flight.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._in_flight.discard(task)
        self._noticed(task)
        self._send()

    def _noticed(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()):
            self._trouble = error
        self._something_happened.set()

    async def _attempt(self, asking: Asking) -> None:
        reach("after_attempt_started")
        begin = time.monotonic()
        asking.send(begin)
        try:
            reply = await self._llm.complete(asking.request)
        except EndpointRefuses as refusal:
            fault = CallFailed("endpoint_refuses", str(refusal), is_transient=False)
            attempt = failed_attempt(asking.attempt_id, asking.call.cache_key, fault, _since(begin))
            self._ended.append(Ended(asking, attempt))
            raise
        except CallFailed as failure:
            self._failed(asking, begin, failure)
        except Exception as error:  # a fault of one call must not take the others with it
            fault = CallFailed("internal_error", repr(error), is_transient=True)
            self._failed(asking, begin, fault)
        else:
            reach("after_response_before_save")
            self._replied(asking, begin, reply)

    def _replied(self, asking: Asking, begin: float, reply: Reply) -> None:
        self._admission.answered()
        self._health.answered()
        if reply.limits:
            self._pace.heard(reply.limits)
        self._pace.used(asking.tokens, (reply.input_tokens or 0) + (reply.output_tokens or 0))
        outcome, detail, parsed = judge(asking.call, reply)
        cost = reply_usd(asking.call.llm, reply)
        asking.pay(cost)
        attempt = Attempt(
            attempt_id=asking.attempt_id,
            cache_key=asking.call.cache_key,
            outcome=outcome,
            latency_ms=_since(begin),
            reply=reply,
            error=detail or None,
            cost_usd=cost,
        )
        if asking.ask_again(outcome, detail, reply):
            self._ended.append(Ended(asking, attempt))
            self._waiting.appendleft(asking)
        else:
            answer = Answer(outcome, detail, False, parsed, None, asking.sent, asking.cost_usd)
            self._ended.append(Ended(asking, attempt, answer))

    def _failed(self, asking: Asking, begin: float, failure: CallFailed) -> None:
        """An answer that is none waits for a first good one: until then all may be the endpoint's
        fault, which costs the work nothing."""
        now = time.monotonic()
        if failure.kind in _PUSHED_BACK:
            self._admission.pushed_back(begin, now)
        attempt = failed_attempt(asking.attempt_id, asking.call.cache_key, failure, _since(begin))
        self._ended.append(Ended(asking, attempt))
        if failure.retry_after:
            self._pace.hold(failure.retry_after)
        wait = asking.seconds_to_retry(failure, now)
        if wait is not None:
            asyncio.get_running_loop().call_later(wait, self._wake, asking)
            return
        answer = Answer(
            failure.kind,
            failure.detail,
            failure.is_transient,
            None,
            None,
            asking.sent,
            asking.cost_usd,
        )
        self._doubtful.append((self._health.answers, Ended(asking, None, answer)))
        self._health.failed(failure, self._admission.limit)

    def _wake(self, asking: Asking) -> None:
        self._waiting.append(asking)
        self._something_happened.set()

    def _settle_doubtful(self) -> None:
        """One that failed counts when another was answered after it, or when no other is open."""
        is_all = len(self._doubtful) == len(self._open)
        answers = self._health.answers
        settled = [one for known, one in self._doubtful if is_all or known < answers]
        self._doubtful = [one for one in self._doubtful if not is_all and one[0] >= answers]
        self._ended += settled


def _since(begin: float) -> int:
    return round((time.monotonic() - begin) * 1000)
