"""How the calls of one session ended, and whether that speaks against the endpoint itself.

Pure; no clock, no network. A failure of everything costs the work items nothing. But a few
documents that fail whenever they are asked about, while they are all there is, must end as dead: so
many failures are no proof against the endpoint, unless it could not even be reached.
"""

from collections import deque

from orchestration.resources.llm import (
    FORBIDDEN,
    UNREACHABLE,
    CallFailed,
    EndpointRefuses,
    EndpointUnavailable,
)

FEW_ITEMS = 3
MANY_CALLS = 50
_LONGEST = 1_024


class Health:
    """Of a session, told of each item that it asks for, and how each call ended.

    As many failures as may be in flight, without an answer in between, are enough: the others need
    not be tried. After a first answer it takes MANY_CALLS. `key_works` says that the endpoint
    answered this run before, so what it forbids are prompts.
    """

    def __init__(self, key_works: bool = False) -> None:
        self.answers = 0
        self._items: set[int] = set()
        self._key_works = key_works
        self._failures: deque[CallFailed] = deque(maxlen=_LONGEST)

    def expect(self, item_id: int) -> None:
        """A call is to be made for the sake of this item."""
        self._items.add(item_id)

    def answered(self) -> None:
        """A reply came, whatever it says: the endpoint works for this key."""
        self.answers += 1
        self._failures.clear()

    def failed(self, failure: CallFailed, at_once: int) -> None:
        """A call ended without a reply, after all its attempts; so many may be in flight.

        Raises EndpointRefuses or EndpointUnavailable when the failures are the endpoint's.
        """
        self._failures.append(failure)
        enough = min(len(self._items), max(at_once, FEW_ITEMS + 1))
        if self.answers:
            enough = max(at_once, MANY_CALLS)
        if len(self._failures) < enough:
            return
        last = list(self._failures)[-enough:]
        works = self._key_works or self.answers > 0
        if any(one.kind == FORBIDDEN for one in last) and not works:
            raise EndpointRefuses.saying(failure.detail)
        is_few = len(self._items) <= FEW_ITEMS
        if all(one.kind == UNREACHABLE if is_few else one.is_transient for one in last):
            raise EndpointUnavailable.after(enough, failure)
