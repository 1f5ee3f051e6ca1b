"""Rates: so many requests and tokens a minute, for all runs that ask one address for one model.

They share one row in PostgreSQL. A run takes from it what the next second has room for, and what
it takes moves the row's clocks forward; no run can send what another one took.
"""

import time
from collections.abc import Sequence

from orchestration.resources.llm import Limits
from orchestration.resources.postgres import Connection, one
from orchestration.settings import LlmSettings

BLOCK_SECONDS = 1.0
# Of a limit: clocks differ, and so do the counts of tokens.
_USED = 0.98
_AGAIN_SECONDS = 0.1
LONGEST_HOLD_SECONDS = 60.0
# No clock is further ahead: a row that something odd moved heals.
_FURTHEST_SECONDS = 120.0
_MOST_TOKENS = 1_000_000


class Pace:
    """Of one session. Without a limit, by setting or the endpoint's word, nothing but a pause that
    it asked for holds back, be it this session or another.

    `lease` alone uses the connection; the others may be called from another thread meanwhile.
    """

    def __init__(self, connection: Connection, llm: LlmSettings) -> None:
        self._connection = connection
        self._key = [llm.base_url, llm.model]
        self._requests = llm.requests_per_minute
        self._tokens = llm.tokens_per_minute
        self._owed_tokens = 0
        self._hold_until = 0.0
        self._shared_until = 0.0
        self._others_hold_until = 0.0
        self._look_again_at = 0.0
        self._ask_again_at = 0.0
        self._has_row = False
        self.seconds_to_wait = 0.0

    def heard(self, limits: Limits) -> None:
        """What a reply said: its limits count where no setting says otherwise."""
        self._requests = self._requests or limits.requests_per_minute
        self._tokens = self._tokens or limits.tokens_per_minute
        self.hold(limits.seconds_until_free)

    def hold(self, seconds: float) -> None:
        """The endpoint asked to be left alone for so long, a minute at most: it may be asked then
        whether it still means it."""
        if seconds > 0:
            until = time.monotonic() + min(seconds, LONGEST_HOLD_SECONDS)
            self._hold_until = max(self._hold_until, until)

    def is_held(self) -> bool:
        """Whether not even what was leased is to be sent."""
        return time.monotonic() < max(self._hold_until, self._others_hold_until)

    def used(self, estimated: int, tokens: int) -> None:
        """What a call took, which is paid for with the next ones."""
        self._owed_tokens += min(tokens, _MOST_TOKENS) - estimated

    def lease(self, tokens: Sequence[int]) -> int:
        """How many of the calls, each with its estimated tokens, may be sent now."""
        self._share_hold()
        if tokens:
            self._hear_others()
        now = time.monotonic()
        until = max(self._hold_until, self._others_hold_until, self._ask_again_at)
        self.seconds_to_wait = max(0.0, until - now)
        if self.seconds_to_wait:
            return 0
        if not tokens or not (self._requests or self._tokens):
            return len(tokens)
        count = self._take(tokens)
        if count < len(tokens):
            self._ask_again_at = now + self.seconds_to_wait
        return count

    def _share_hold(self) -> None:
        until = self._hold_until
        if until > self._shared_until:
            self._shared_until = until
            self._connection.execute(
                "insert into llm.rates as known (base_url, model, not_before)"
                " values (%s, %s, clock_timestamp() + make_interval(secs => %s))"
                " on conflict (base_url, model) do update"
                " set not_before = greatest(known.not_before, excluded.not_before)",
                [*self._key, max(0.0, until - time.monotonic())],
            )

    def _hear_others(self) -> None:
        """Once a block. No pause is longer than a minute: what says so is no pause."""
        now = time.monotonic()
        if now < self._look_again_at:
            return
        self._look_again_at = now + BLOCK_SECONDS
        row = self._connection.execute(
            "select extract(epoch from not_before - clock_timestamp()) as seconds from llm.rates"
            " where base_url = %s and model = %s and isfinite(not_before)"
            " and not_before <= clock_timestamp() + make_interval(secs => %s)",
            [*self._key, LONGEST_HOLD_SECONDS],
        ).fetchone()
        self._others_hold_until = now + float(row["seconds"]) if row else 0.0

    def _take(self, tokens: Sequence[int]) -> int:
        with self._connection.transaction():
            clocks = self._clocks()
            count = self._spend(clocks, tokens)
            self._connection.execute(
                "update llm.rates set"
                " requests_free_at = clock_timestamp() + make_interval(secs => %s),"
                " tokens_free_at = clock_timestamp() + make_interval(secs => %s)"
                " where base_url = %s and model = %s",
                [*clocks, *self._key],
            )
        if count < len(tokens):
            self.seconds_to_wait = max(_AGAIN_SECONDS, max(clocks) - BLOCK_SECONDS)
        return count

    def _clocks(self) -> list[float]:
        """Seconds until the rates have room again, of requests and of tokens; 0 for now."""
        if not self._has_row:
            self._connection.execute(
                "insert into llm.rates (base_url, model) values (%s, %s) on conflict do nothing",
                self._key,
            )
            self._has_row = True
        row = one(
            self._connection,
            "select extract(epoch from requests_free_at - clock_timestamp()) as requests,"
            " extract(epoch from tokens_free_at - clock_timestamp()) as tokens"
            " from llm.rates where base_url = %s and model = %s for update",
            self._key,
        )
        return [min(float(row[name]), _FURTHEST_SECONDS) for name in ("requests", "tokens")]

    def _spend(self, clocks: list[float], tokens: Sequence[int]) -> int:
        owed, self._owed_tokens = self._owed_tokens, 0
        clocks[1] = min(forward(clocks[1], owed, self._tokens), _FURTHEST_SECONDS)
        for count, estimated in enumerate(tokens):
            if max(clocks) >= BLOCK_SECONDS:
                return count
            clocks[0] = forward(clocks[0], 1, self._requests)
            clocks[1] = forward(clocks[1], estimated, self._tokens)
        return len(tokens)


def forward(clock: float, units: int, per_minute: int | None) -> float:
    """Where a clock (seconds from now) stands after so many units; never behind now."""
    seconds = units * 60 / (per_minute * _USED) if per_minute else 0.0
    return max(0.0, clock) + seconds
