"""What the LLM's steps of one run share: the run itself, asking for claimed items, and keeping an
answer or failing its item alone. What is asked and what is kept is in findings.py and briefs.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg

from orchestration.crash_points import reach
from orchestration.ingestion import work_items
from orchestration.ingestion.work_items import Done, Failure, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring.calls import OK, Answer, Call
from orchestration.scoring.engine import answer_all
from orchestration.settings import LlmSettings


@dataclass(frozen=True)
class Run:
    """What every step of one scoring run needs."""

    connection: Connection
    llm: LlmSettings
    run_id: str
    generation_id: int
    max_attempts: int


def ask(run: Run, items: Sequence[Item], calls: Sequence[Call]) -> Mapping[str, Answer]:
    """Answers by cache key; the leases of the items last until then. Raises as `answer_all`."""
    answers = answer_all(
        run.connection,
        run.llm,
        calls,
        run.run_id,
        lambda: work_items.renew(run.connection, items),
    )
    reach("after_save_before_done")
    return answers


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
