"""How many calls may be in flight: what the setting allows, fewer while the endpoint pushes back.

Additive increase, multiplicative decrease, as TCP does it. Pure; the clock is the caller's.
"""

_CUT_TO = 0.7


class Admission:
    """Told how each call ended. `limit` is at least 1, and at most what the setting allows."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._cut_at = float("-inf")

    @property
    def limit(self) -> int:
        """Calls that may be in flight at once."""
        return int(self._limit)

    def answered(self) -> None:
        """One more for each round of answers."""
        self._limit = min(self._most, self._limit + 1 / self._limit)

    def pushed_back(self, sent_at: float, now: float) -> None:
        """A call was limited, failed at the server or timed out. From one that was sent before the
        last cut nothing new is learnt."""
        if sent_at > self._cut_at:
            self._cut_at = now
            self._limit = max(1.0, self._limit * _CUT_TO)
