"""Which requests the stub fails, and how: the same ones for the same seed, by order of arrival."""

import random
from collections.abc import Sequence

OF_THE_TRANSPORT = ("rate_limited", "server_error", "hang", "reset")
OF_THE_MODEL = (
    "truncated",
    "refusal",
    "content_filter",
    "invalid_json",
    "schema_breaking",
    "huge",
)
KINDS = (*OF_THE_TRANSPORT, *OF_THE_MODEL)


class Faults:
    """A share (0 to 1) of the requests, each with one of the kinds at random."""

    def __init__(self, share: float, seed: int, kinds: Sequence[str] = KINDS) -> None:
        self._share = share
        self._kinds = kinds
        self._chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret

    def next(self) -> str | None:
        """What happens to the next request; None: it is answered."""
        is_hit = self._chance.random() < self._share
        kind = self._chance.choice(self._kinds)
        return kind if is_hit else None
