"""The requests and tokens that the stub lets through in a minute, and the headers that say so.

Pure; the caller brings the time. Nothing here knows what a request holds.
"""

import math
from dataclasses import dataclass


class Bucket:
    """At most `per_minute` at once, filled evenly at that rate; full at the beginning."""

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self._rate = per_minute / 60
        self._level = float(per_minute)
        self._filled_at = now
        self.taken = 0.0

    def level(self, now: float) -> float:
        """How much may be taken."""
        grown = self._level + (now - self._filled_at) * self._rate
        return min(float(self.per_minute), grown)

    def take(self, amount: float, now: float) -> None:
        """Take what there is; `taken` adds it up."""
        self.taken += amount
        self._level = self.level(now) - amount
        self._filled_at = now

    def seconds_until(self, amount: float, now: float) -> float:
        """Until so much may be taken; infinite for what the bucket cannot hold."""
        if amount > self.per_minute:
            return math.inf
        return max(0.0, (amount - self.level(now)) / self._rate)

    def seconds_until_full(self, now: float) -> float:
        """What x-ratelimit-reset says."""
        return (self.per_minute - self.level(now)) / self._rate


@dataclass(frozen=True)
class Refusal:
    """Which limit a request breaks (`requests` or `tokens`), and in how many seconds it would not.

    `seconds` is infinite for a request that is larger than the limit.
    """

    limit: str
    seconds: float


class Limits:
    """Both limits; None is no limit. A request takes from both buckets, or from neither."""

    def __init__(self, requests: int | None, tokens: int | None, now: float) -> None:
        wanted = {"requests": requests, "tokens": tokens}
        self.buckets = {name: Bucket(size, now) for name, size in wanted.items() if size}

    def admit(self, tokens: int, now: float) -> Refusal | None:
        """Let one request with so many tokens through, or say why not."""
        amounts = {"requests": 1, "tokens": tokens}
        waits = {
            name: bucket.seconds_until(amounts[name], now) for name, bucket in self.buckets.items()
        }
        if any(waits.values()):
            longest = max(waits, key=lambda name: waits[name])
            return Refusal(longest, waits[longest])
        for name, bucket in self.buckets.items():
            bucket.take(amounts[name], now)
        return None

    def headers(self, now: float) -> dict[str, str]:
        """The x-ratelimit-* headers, as OpenAI sends them."""
        headers: dict[str, str] = {}
        for name, bucket in self.buckets.items():
            headers |= {
                f"x-ratelimit-limit-{name}": str(bucket.per_minute),
                f"x-ratelimit-remaining-{name}": str(max(0, math.floor(bucket.level(now)))),
                f"x-ratelimit-reset-{name}": duration(bucket.seconds_until_full(now)),
            }
        return headers


def retry_headers(refusal: Refusal) -> dict[str, str]:
    """Whole seconds, and the milliseconds beside them; nothing where waiting does not help."""
    if math.isinf(refusal.seconds):
        return {}
    return {
        "retry-after": str(math.ceil(refusal.seconds)),
        "retry-after-ms": str(math.ceil(refusal.seconds * 1_000)),
    }


def duration(seconds: float) -> str:
    """As Go prints it: 120ms, 1s, 8.64s, 6m0s, 1h0m0s; rounded up to a millisecond."""
    milliseconds = math.ceil(round(seconds * 1_000, 6))
    if milliseconds < 1_000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1_000:g}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
