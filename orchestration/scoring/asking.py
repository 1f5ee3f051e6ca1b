"""One question under way: what is to be sent next for it, and what it took so far.

A request that failed in passing is sent again. An answer that was cut off is asked for once more
with room for twice as much; one that breaks the schema is given back once for repair.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from orchestration.resources.llm import CallFailed, Reply, Request
from orchestration.scoring.attempts import Attempt
from orchestration.scoring.calls import Answer, Call
from orchestration.scoring.pacing import LONGEST_HOLD_SECONDS
from orchestration.scoring.prices import most_usd

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 20.0
_SHOWN_ANSWER = 20_000
_CHARACTERS_PER_TOKEN = 4
_ANSWER_TOKENS = 300


@dataclass
class Asking:
    """`calls` are equal ones, which share the answer. `tries` counts those of `request`."""

    call: Call
    first_sent_at: float | None = None
    calls: list[Call] = field(default_factory=list)
    sent: int = 0
    tries: int = 0
    cost_usd: Decimal | None = Decimal(0)
    attempt_id: int = 0
    is_second: bool = False

    def __post_init__(self) -> None:
        self.calls.append(self.call)
        self.request: Request = self.call.request
        self.key: str = self.call.cache_key

    @property
    def tokens(self) -> int:
        """About how many it will take, both ways."""
        sent = sum(len(message["content"]) for message in self.request.messages)
        return sent // _CHARACTERS_PER_TOKEN + _ANSWER_TOKENS

    @property
    def most_usd(self) -> Decimal:
        """The most that its next attempt can cost."""
        return most_usd(self.call.llm, self.request)

    def seconds_to_retry(self, failure: CallFailed, now: float) -> float | None:
        """What the endpoint asked for (Retry-After), else exponential with full jitter; None when
        it is not to be tried again."""
        llm = self.call.llm
        if not failure.is_transient or self.tries >= llm.max_attempts:
            return None
        longest = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2**self.tries)
        wait = random.uniform(0, longest)  # noqa: S311 - jitter
        if failure.retry_after is not None:
            wait = min(failure.retry_after, LONGEST_HOLD_SECONDS)
        began = self.first_sent_at if self.first_sent_at is not None else now
        return wait if now + wait < began + llm.item_seconds else None

    def send(self, now: float) -> None:
        """One more attempt goes out."""
        self.sent += 1
        self.tries += 1
        if self.first_sent_at is None:
            self.first_sent_at = now

    def pay(self, cost_usd: Decimal | None) -> None:
        """Unknown is the sum of anything unknown."""
        if self.cost_usd is None or cost_usd is None:
            self.cost_usd = None
        else:
            self.cost_usd += cost_usd

    def ask_again(self, outcome: str, detail: str, reply: Reply) -> bool:
        """Whether there is another request to make of an answer that does not count."""
        if self.is_second or outcome not in {"truncated", "schema_invalid"}:
            return False
        if outcome == "truncated":
            self.request = self._with_more_room()
        else:
            self.request = self._for_repair(detail, reply)
        self.key = self.call.key_of(self.request)
        self.is_second, self.tries = True, 0
        return True

    def _with_more_room(self) -> Request:
        llm = self.call.llm
        parameters = dict(self.request.parameters)
        parameters[llm.token_limit_field] = 2 * llm.max_output_tokens
        return replace(self.request, parameters=parameters)

    def _for_repair(self, detail: str, reply: Reply) -> Request:
        shown = (reply.content or "").replace("\x00", "")[:_SHOWN_ANSWER]
        answer = {"role": "assistant", "content": shown}
        wish = {
            "role": "user",
            "content": f"This does not count: {detail}. Answer once more, with one JSON object "
            "that fits the schema and nothing else.",
        }
        return replace(self.request, messages=[*self.request.messages, answer, wish])


@dataclass(frozen=True)
class Ended:
    """An attempt that ended, and the answer if there is nothing more to try."""

    asking: Asking
    attempt: Attempt | None
    answer: Answer | None = None

    def answers(self, response_ids: Mapping[int, int]) -> Iterator[tuple[Call, Answer]]:
        """To each of the equal calls the same."""
        if self.answer is None:
            return
        attempt_id = self.attempt.attempt_id if self.attempt else 0
        answer = replace(self.answer, response_id=response_ids.get(attempt_id))
        for call in self.asking.calls:
            yield call, answer
