"""One attempt at a call, as the ledger keeps it when it has ended."""

from dataclasses import dataclass
from decimal import Decimal

from orchestration.resources.llm import CallFailed, Reply


@dataclass(frozen=True)
class Attempt:
    """A started attempt, now ended: with a reply, or with an error and no body. `cache_key` is that
    of the question; what was sent may have been a repair of its first answer."""

    attempt_id: int
    cache_key: str
    outcome: str
    latency_ms: int
    reply: Reply | None = None
    error: str | None = None
    http_status: int | None = None
    request_id: str | None = None
    cost_usd: Decimal | None = None


def failed_attempt(
    attempt_id: int, cache_key: str, failure: CallFailed, latency_ms: int
) -> Attempt:
    """One that got no reply."""
    return Attempt(
        attempt_id=attempt_id,
        cache_key=cache_key,
        outcome=failure.kind,
        latency_ms=latency_ms,
        error=failure.detail,
        http_status=failure.http_status,
        request_id=failure.request_id,
    )
