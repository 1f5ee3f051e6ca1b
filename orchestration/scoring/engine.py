"""The engine's face: many calls to the LLM, each answered from the cache or paid once (session.py).

It knows nothing of risk: calls go in, answers come out, each attempt is a ledger row.
"""

import asyncio
from collections.abc import Callable, Sequence

from orchestration.resources.postgres import Connection
from orchestration.scoring.calls import Answer, Call, Work
from orchestration.scoring.session import Session
from orchestration.settings import LlmSettings


def answer_stream(connection: Connection, settings: LlmSettings, run_id: str, work: Work) -> None:
    """Answer all calls that the work has.

    Raises EndpointRefuses when no call can succeed until a setting changes, EndpointUnavailable
    when the endpoint answers nobody. What was answered before is in the cache.
    """
    asyncio.run(Session(connection, settings, run_id, work).run())


def answer_all(
    connection: Connection,
    settings: LlmSettings,
    calls: Sequence[Call],
    run_id: str,
    keep_alive: Callable[[], None] = lambda: None,
) -> dict[str, Answer]:
    """Answers by cache key, of calls that are known beforehand. Raises as `answer_stream`."""
    work = _AllAtOnce(calls, keep_alive)
    if calls:
        answer_stream(connection, settings, run_id, work)
    return work.answers


class _AllAtOnce:
    def __init__(self, calls: Sequence[Call], keep_alive: Callable[[], None]) -> None:
        self._calls = calls
        self.keep_alive = keep_alive
        self.answers: dict[str, Answer] = {}

    def more(self) -> Sequence[Call] | None:
        calls, self._calls = self._calls, []
        return calls or None

    def keep(self, answered: Sequence[tuple[Call, Answer]]) -> Sequence[Call]:
        self.answers |= {call.cache_key: answer for call, answer in answered}
        return []
