"""What the LLM's steps of one run share: the run itself, its claims, and keeping an answer or
failing its item alone. What is asked and what is kept is in mentions.py, findings.py and briefs.py.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

import psycopg

from orchestration.ingestion import work_items
from orchestration.ingestion.work_items import Done, Failure, Item, Step
from orchestration.resources.postgres import Connection
from orchestration.scoring.calls import OK, Answer
from orchestration.settings import LlmSettings


@dataclass(frozen=True)
class Run:
    """What every step of one scoring run needs."""

    connection: Connection
    llm: LlmSettings
    run_id: str
    generation_id: int
    max_attempts: int
    is_fresh: bool = False

    @property
    def asked_anew_in(self) -> int | None:
        """The generation, where the cache may not answer for others."""
        return self.generation_id if self.is_fresh else None


class Claims:
    """What a run claimed of one step and did not finish yet: of these subjects only if given, of
    any generation if the step knows none."""

    def __init__(
        self,
        run: Run,
        step: Step,
        generation_id: int | None = None,
        subject_ids: Sequence[UUID] | None = None,
    ) -> None:
        self.run = run
        self._step: Step = step
        self._generation_id = generation_id
        self._subject_ids = subject_ids
        self._held: dict[int, Item] = {}

    def take(self, size: int) -> list[Item]:
        """Claim at most so many."""
        items = work_items.claim(
            self.run.connection,
            self._step,
            size,
            self.run.max_attempts,
            self._subject_ids,
            self._generation_id,
        )
        self._held |= {item.item_id: item for item in items}
        return items

    def renew(self) -> None:
        """Nothing that is asked about is taken over by another run."""
        work_items.renew(self.run.connection, list(self._held.values()))

    def drop(self, items: Iterable[Item]) -> None:
        """They are finished, or lost. One that was claimed once more since then stays."""
        for item in items:
            if self._held.get(item.item_id) == item:
                del self._held[item.item_id]

    def given_back(self) -> AbstractContextManager[None]:
        """As `work_items.given_back`, of whatever is held when the block ends early."""
        return work_items.given_back(
            self.run.connection, self._held.values(), self.run.max_attempts
        )


@dataclass(frozen=True)
class NotKept:
    """The item failed; it is tried again later, or dead."""

    is_dead: bool


def keep_or_fail(run: Run, item: Item, answer: Answer, keep: Callable[[], Done]) -> Done | NotKept:
    """A good answer is kept; one that is none, or cannot be kept, fails its item alone."""
    failure = Failure(answer.outcome, answer.detail, answer.is_transient)
    if answer.outcome == OK:
        try:
            with run.connection.transaction():
                return keep()
        except psycopg.OperationalError:
            raise
        except Exception as error:
            failure = Failure("internal_error", f"keeping the answer: {error!r}", True)
    return NotKept(work_items.fail(run.connection, item, failure, run.max_attempts))
