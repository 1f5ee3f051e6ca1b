"""Which requests the stub fails, and how: the same ones for the same seed, by order of arrival."""

import random
from collections.abc import Sequence
from typing import Protocol

OF_THE_TRANSPORT = (
    "rate_limited",
    "rate_limited_without_a_word",
    "server_error",
    "unavailable",
    "hang",
    "slow",
    "dropped",
    "reset",
    "closed_half_way",
)
OF_THE_BODY = ("empty_body", "malformed_body", "body_that_is_no_json")
OF_THE_MODEL = (
    "truncated",
    "endless",
    "refusal",
    "content_filter",
    "invalid_json",
    "schema_breaking",
    "huge",
)
KINDS = (*OF_THE_TRANSPORT, *OF_THE_BODY, *OF_THE_MODEL)


class Faults(Protocol):
    """Asked once for each request."""

    def next(self) -> str | None:
        """What happens to the next request; None: it is answered."""


class Share:
    """A share (0 to 1) of the requests, each with one of the kinds at random."""

    def __init__(self, share: float, seed: int, kinds: Sequence[str] = KINDS) -> None:
        self._share = share
        self._kinds = kinds
        self._chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret

    def next(self) -> str | None:
        """As Faults says."""
        is_hit = self._chance.random() < self._share
        kind = self._chance.choice(self._kinds)
        return kind if is_hit else None


class Each:
    """So many of each kind, spread by chance over the first `among` requests, and none after."""

    def __init__(self, each: int, among: int, seed: int, kinds: Sequence[str] = KINDS) -> None:
        faults = [kind for kind in kinds for _ in range(each)]
        self._left: list[str | None] = [*faults, *[None] * (among - len(faults))]
        random.Random(seed).shuffle(self._left)  # noqa: S311 - as above

    def next(self) -> str | None:
        """As Faults says."""
        return self._left.pop() if self._left else None
