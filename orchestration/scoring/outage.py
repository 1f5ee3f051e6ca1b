"""How the calls of one session ended, and whether that speaks against the endpoint itself.

Pure; no clock, no network. A failure of everything costs the work items nothing. But a few
documents that fail whenever they are asked about, while they are all there is, must end as dead: so
many failures are no proof against the endpoint, unless it could not even be reached.
"""

from orchestration.resources.llm import FORBIDDEN, CallFailed, EndpointRefuses, EndpointUnavailable

FEW_CALLS = 3


class Health:
    """Of a session, told of each call that it has to make, and how each one ended.

    As many failures as may be in flight, without an answer in between, are enough: the others need
    not be tried.
    `key_works` says that the endpoint answered this run before, so what it forbids are prompts.
    """

    def __init__(self, key_works: bool = False) -> None:
        self.has_answered = False
        self._calls = 0
        self._key_works = key_works
        self._failures: list[CallFailed] = []

    def expect_one(self) -> None:
        """One more call is to be made."""
        self._calls += 1

    def answered(self) -> None:
        """A reply came, whatever it says: the endpoint works for this key."""
        self.has_answered = True

    def failed(self, failure: CallFailed, at_once: int) -> None:
        """A call ended without a reply, after all its attempts; so many may be in flight.

        Raises EndpointRefuses or EndpointUnavailable when the failures are the endpoint's.
        """
        self._failures.append(failure)
        enough = min(self._calls, max(at_once, FEW_CALLS + 1))
        if self.has_answered or len(self._failures) < enough:
            return
        is_forbidden = any(failure.kind == FORBIDDEN for failure in self._failures)
        if is_forbidden and not self._key_works:
            raise EndpointRefuses.saying(failure.detail)
        is_few = self._calls <= FEW_CALLS
        if all(f.is_unreachable if is_few else f.is_transient for f in self._failures):
            raise EndpointUnavailable.after(len(self._failures), failure)
