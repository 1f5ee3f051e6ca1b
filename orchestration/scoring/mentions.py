"""The mentions step: each landed document is read once for the suppliers that it names
(mention_rule.py). Where a name was found in the text, the LLM is asked whether the document is
about that supplier (relevance.py), of no near copy and with no lock held. What stands is queued.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import psycopg

from orchestration.crash_points import reach
from orchestration.errors import LlmError
from orchestration.ingestion import circuit, landing, work_items
from orchestration.ingestion.budget import BudgetReached
from orchestration.ingestion.suppliers import current_suppliers
from orchestration.ingestion.work_items import Done, Failure, Item
from orchestration.scoring import ledger, mention_tables
from orchestration.scoring.calls import Answer, Call
from orchestration.scoring.engine import answer_stream
from orchestration.scoring.mention_reading import Reading, mark_near_copies
from orchestration.scoring.mention_rule import Mentions, SupplierIndex
from orchestration.scoring.report import PairReport
from orchestration.scoring.steps import Claims, Run, keep_or_fail

CHUNK = 200
MAX_ASKED_PER_RUN = 5_000


@dataclass
class Resolution:
    """Documents by outcome, how many of them the LLM was asked about, and what that cost;
    `stopped` says that a budget was reached before all were read."""

    outcomes: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    spent: PairReport = field(default_factory=PairReport)
    stopped: str | None = None


def resolve_pending(run: Run) -> Resolution:
    """Find the mentions of every landed document that waits for it, in one stream; documents
    beyond those that one run may ask about are left for the next.

    Queues the findings of each mention. Raises LlmError when no call can succeed: the circuit is
    open then, what was decided is kept, and what is still claimed is given back.
    """
    ledger.close_abandoned(run.connection)
    claims = Claims(run, "mentions")
    work = _Resolving(claims, SupplierIndex(current_suppliers(run.connection)))
    try:
        with claims.given_back():
            answer_stream(run.connection, run.llm.of_mentions(), run.run_id, work)
    except BudgetReached as reached:
        work.result.stopped = str(reached)
    except LlmError as error:
        circuit.trip(run.connection, run.llm, str(error))
        raise
    if work.result.spent.answered and run.llm.of_mentions() is run.llm:
        circuit.close(run.connection, run.llm)
    return work.result


class _Resolving:
    """The step's work for the engine (see calls.Work)."""

    def __init__(self, claims: Claims, index: SupplierIndex) -> None:
        self.result = Resolution()
        self.keep_alive = claims.renew
        self._claims = claims
        self._run = claims.run
        self._connection = claims.run.connection
        self._index = index
        # by item and question: a document may be claimed once more before its answer is here
        self._asked: dict[tuple[int, str], Reading] = {}

    def more(self) -> Sequence[Call] | None:
        """Of the next documents those that the LLM must be asked about; the others are done."""
        if self.result.asked >= MAX_ASKED_PER_RUN or not (items := self._claims.take(CHUNK)):
            return None
        calls = []
        for reading in self._read(items):
            call = reading.call(self._index, self._run.llm.of_mentions())
            self._asked[call.item_id, call.cache_key] = reading
            calls.append(call)
        self.result.asked += len(calls)
        return calls

    def keep(self, answered: Sequence[tuple[Call, Answer]]) -> Sequence[Call]:
        """What the LLM says of the doubtful ones; each failure fails its own document."""
        given = {
            reading.item.item_id: (reading, answer)
            for call, answer in answered
            if (reading := self._asked.pop((call.item_id, call.cache_key), None))
        }
        for answer in {call.cache_key: answer for call, answer in answered}.values():
            self.result.spent.count(answer)
        reach("after_save_before_done")
        items = [reading.item for reading, _ in given.values()]
        outcomes: Counter[str] = Counter()
        with self._connection.transaction():
            landing.take_turn(self._connection)
            held = work_items.hold(self._connection, items)
            done = []
            for reading, answer in (given[item_id] for item_id in given if item_id in held):
                judge = partial(self._judge, reading, answer)
                kept = keep_or_fail(self._run, reading.item, answer, judge)
                if isinstance(kept, Done):
                    done.append(kept)
                    outcomes[kept.outcome] += 1
                else:
                    outcomes["dead" if kept.is_dead else "later"] += 1
            work_items.finish(self._connection, done)
        self._claims.drop(items)
        self.result.outcomes += outcomes
        return []

    def _read(self, items: Sequence[Item]) -> list[Reading]:
        """Those that the LLM must be asked about; the others are done.

        All in one transaction; where that fails, one by one, so that only who is at fault fails.
        """
        try:
            return self._settle(items)
        except psycopg.OperationalError:
            raise
        except Exception as error:
            if len(items) == 1:
                self._fail(items[0], error)
                self._claims.drop(items)
                return []
        self._claims.renew()
        return [reading for item in items for reading in self._read([item])]

    def _settle(self, items: Sequence[Item]) -> list[Reading]:
        connection = self._connection
        mention_tables.renew_briefs(
            connection, [item.subject_id for item in items], self._run.generation_id
        )
        documents = mention_tables.load_documents(connection, items)
        readings = [Reading(item, documents[item.subject_id], self._index) for item in items]
        doubtful: list[Reading] = []
        failed: list[tuple[Item, Exception]] = []
        done: list[Done] = []
        with connection.transaction():
            landing.take_turn(connection)
            held = work_items.hold(connection, items)
            mine = [reading for reading in readings if reading.item.item_id in held]
            copies = mark_near_copies(connection, mine)
            for reading in mine:
                if reading.error is not None:
                    failed.append((reading.item, reading.error))
                elif (end := reading.ends_unread(copies)) is not None:
                    done.append(end)
                elif reading.found.is_certain:
                    done.append(self._keep(reading, reading.found))
                else:
                    doubtful.append(reading)
            work_items.finish(connection, done)
            for item, error in failed:
                self._fail(item, error)
        asked = {reading.item.item_id for reading in doubtful}
        self._claims.drop(item for item in items if item.item_id not in asked)
        self.result.outcomes += Counter(one.outcome for one in done)
        return doubtful

    def _fail(self, item: Item, error: Exception) -> None:
        failure = Failure("internal_error", f"finding mentions: {error!r}", is_transient=True)
        is_dead = work_items.fail(self._connection, item, failure, self._run.max_attempts)
        self.result.outcomes["dead" if is_dead else "later"] += 1

    def _judge(self, reading: Reading, answer: Answer) -> Done:
        """The document's end by an answer: its mentions that stand, or that it is irrelevant."""
        question = reading.question(self._index)
        verdict = question.verdict(answer.reply, answer.response_id, self._index.names)
        mention_tables.write_candidates(
            self._connection, reading.item.subject_id, verdict.candidates, answer.response_id
        )
        extra = {
            "response_id": answer.response_id,
            "dropped": verdict.dropped,
            "odd_countries": verdict.odd_countries,
        }
        return self._keep(reading, verdict.mentions, extra)

    def _keep(
        self, reading: Reading, found: Mentions, extra: Mapping[str, Any] | None = None
    ) -> Done:
        mentions = mention_tables.write_mentions(
            self._connection, reading.item.subject_id, found.kept, self._run.generation_id
        )
        detail = {
            "mentions": mentions,
            "cut": [asdict(mention) for mention in found.cut],
            "unknown_hints": found.unknown_hints,
            **(extra or {}),
        }
        return Done(reading.item, "mentioned" if mentions else "irrelevant", detail)
