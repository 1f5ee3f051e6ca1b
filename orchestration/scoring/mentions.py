"""The mentions step: each landed document is read once for the suppliers that it names
(mention_rule.py). Where a name was found in the text, the LLM is asked whether the document is
about that supplier (relevance.py), of no near copy and with no lock held. What stands is queued.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from orchestration.errors import LlmError
from orchestration.ingestion import circuit, landing, work_items
from orchestration.ingestion.suppliers import current_suppliers
from orchestration.ingestion.work_items import Done, Failure, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring import ledger, mention_tables, near_copies
from orchestration.scoring.calls import Answer, Call
from orchestration.scoring.evidence import document_text
from orchestration.scoring.mention_rule import Mentions, SupplierIndex, find_mentions
from orchestration.scoring.near_copies import Text
from orchestration.scoring.relevance import Question
from orchestration.scoring.report import PairReport
from orchestration.scoring.steps import Run, ask, keep_or_fail
from orchestration.settings import LlmSettings

CHUNK = 200
MAX_ASKED_PER_RUN = 5_000


@dataclass
class Resolution:
    """Documents by outcome, how many of them the LLM was asked about, and what that cost."""

    outcomes: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    spent: PairReport = field(default_factory=PairReport)


@dataclass(frozen=True)
class _Step:
    """What every chunk of one run's mentions needs."""

    run: Run
    index: SupplierIndex
    result: Resolution


def resolve_pending(run: Run) -> Resolution:
    """Find the mentions of every landed document that waits for it, a chunk at a time; documents
    beyond those that one run may ask about are left for the next.

    Queues the findings of each mention. Raises LlmError when no call can succeed: the circuit is
    open then, and what was claimed is given back.
    """
    index = SupplierIndex(current_suppliers(run.connection))
    step = _Step(run, index, Resolution())
    ledger.close_abandoned(run.connection)
    while step.result.asked < MAX_ASKED_PER_RUN and (
        items := work_items.claim(run.connection, "mentions", CHUNK, run.max_attempts)
    ):
        with work_items.given_back(run.connection, items, run.max_attempts):
            _ask(step, _read(step, items))
    if step.result.spent.answered and run.llm.of_mentions() is run.llm:
        circuit.close(run.connection, run.llm)
    return step.result


def _read(step: _Step, items: Sequence[Item]) -> list["_Reading"]:
    """Those that the LLM must be asked about; the others are done.

    All in one transaction; where that fails, one by one, so that only who is at fault fails.
    """
    try:
        return _settle(step, items)
    except psycopg.OperationalError:
        raise
    except Exception as error:
        if len(items) == 1:
            _fail(step, items[0], error)
            return []
    work_items.renew(step.run.connection, items)
    return [reading for item in items for reading in _read(step, [item])]


def _fail(step: _Step, item: Item, error: Exception) -> None:
    failure = Failure("internal_error", f"finding mentions: {error!r}", is_transient=True)
    is_dead = work_items.fail(step.run.connection, item, failure, step.run.max_attempts)
    step.result.outcomes["dead" if is_dead else "later"] += 1


def _settle(step: _Step, items: Sequence[Item]) -> list["_Reading"]:
    connection = step.run.connection
    documents = mention_tables.load_documents(connection, items)
    readings = [_Reading(item, documents[item.subject_id], step.index) for item in items]
    doubtful: list[_Reading] = []
    failed: list[tuple[Item, Exception]] = []
    done: list[Done] = []
    with connection.transaction():
        landing.take_turn(connection)
        held = work_items.hold(connection, items)
        mine = [reading for reading in readings if reading.item.item_id in held]
        copies = _mark_near_copies(connection, mine)
        for reading in mine:
            if reading.error is not None:
                failed.append((reading.item, reading.error))
            elif (end := reading.ends_unread(copies)) is not None:
                done.append(end)
            elif reading.found.is_certain:
                done.append(_keep(step, reading, reading.found))
            else:
                doubtful.append(reading)
        _finish(step, done)
        for item, error in failed:
            _fail(step, item, error)
    step.result.outcomes += Counter(one.outcome for one in done)
    return doubtful


def _ask(step: _Step, readings: Sequence["_Reading"]) -> None:
    """What the LLM says of the doubtful ones; each failure fails its own document."""
    if not readings:
        return
    run, result = step.run, step.result
    asking = replace(run, llm=run.llm.of_mentions())
    calls = {one.item.item_id: one.call(step.index, asking.llm) for one in readings}
    result.asked += len(calls)
    items = [reading.item for reading in readings]
    try:
        answers = ask(asking, items, list(calls.values()))
    except LlmError as error:
        circuit.trip(run.connection, run.llm, str(error))
        raise
    for answer in answers.values():
        result.spent.count(answer)
    outcomes: Counter[str] = Counter()
    done: list[Done] = []
    with run.connection.transaction():
        landing.take_turn(run.connection)
        held = work_items.hold(run.connection, items)
        for reading in (one for one in readings if one.item.item_id in held):
            answer = answers[calls[reading.item.item_id].cache_key]
            kept = keep_or_fail(run, reading.item, answer, partial(_judge, step, reading, answer))
            if isinstance(kept, Done):
                done.append(kept)
                outcomes[kept.outcome] += 1
            else:
                outcomes["dead" if kept.is_dead else "later"] += 1
        _finish(step, done)
    result.outcomes += outcomes


def _judge(step: _Step, reading: "_Reading", answer: Answer) -> Done:
    """The document's end by an answer: its mentions that stand, or that it is irrelevant."""
    verdict = reading.question(step.index).verdict(
        answer.reply, answer.response_id, step.index.names
    )
    mention_tables.write_candidates(
        step.run.connection, reading.item.subject_id, verdict.candidates, answer.response_id
    )
    extra = {
        "response_id": answer.response_id,
        "dropped": verdict.dropped,
        "odd_countries": verdict.odd_countries,
    }
    return _keep(step, reading, verdict.mentions, extra)


def _keep(
    step: _Step, reading: "_Reading", found: Mentions, extra: Mapping[str, Any] | None = None
) -> Done:
    mentions = mention_tables.write_mentions(
        step.run.connection, reading.item.subject_id, found.kept, step.run.generation_id
    )
    detail = {
        "mentions": mentions,
        "cut": [asdict(mention) for mention in found.cut],
        "unknown_hints": found.unknown_hints,
        **(extra or {}),
    }
    return Done(reading.item, "mentioned" if mentions else "irrelevant", detail)


def _finish(step: _Step, done: Sequence[Done]) -> None:
    connection = step.run.connection
    mention_tables.renew_briefs(
        connection, [one.item.subject_id for one in done], step.run.generation_id
    )
    work_items.finish(connection, done)


class _Reading:
    """What one claimed document says, or why that could not be found out; read without a lock."""

    def __init__(self, item: Item, document: DictRow, index: SupplierIndex) -> None:
        self.item = item
        self.found = Mentions()
        self.content = document_text(document["title"], document["body"])
        self.text: Text | None = None
        self.error: Exception | None = None
        self._is_outdated: bool = document["is_outdated"]
        if self._is_outdated:
            return
        try:
            self._read(document, index)
        except Exception as error:  # a fault on one document must not hold up the others
            self.error = error

    def _read(self, document: DictRow, index: SupplierIndex) -> None:
        hints = [(hint["supplier"], hint["country"]) for hint in document["supplier_hints"]]
        self.found = find_mentions(self.content, document["language"], hints, index)
        # a correction is news even where it differs by a word
        if self.found.kept and document["version"] == 1:
            pairs = frozenset((each.supplier_id, each.country) for each in self.found.kept)
            self.text = Text(self.item.subject_id, self.content, document["dated_at"], pairs)

    def ends_unread(self, copies: Mapping[UUID, UUID]) -> Done | None:
        """The end of a document that needs no more: outdated, a copy, or without a supplier."""
        if self._is_outdated:
            return Done(self.item, "superseded")
        if original := copies.get(self.item.subject_id):
            return Done(self.item, "copy", {"nearly_the_same_as": str(original)})
        if not self.found.kept:
            return Done(self.item, "no_supplier", {"unknown_hints": self.found.unknown_hints})
        return None

    def question(self, index: SupplierIndex) -> Question:
        """What the LLM is asked about it."""
        return Question(self.content, self.found, index.suppliers)

    def call(self, index: SupplierIndex, llm: LlmSettings) -> Call:
        """The same, as a call."""
        return self.question(index).call(self.item.item_id, llm)


def _mark_near_copies(connection: Connection, readings: Sequence[_Reading]) -> dict[UUID, UUID]:
    texts = {reading.text.document_id: reading.text for reading in readings if reading.text}
    rows = connection.execute(
        "select document_id from ingest.documents"
        " where document_id = any(%s) and duplicate_of is null and superseded_by is null"
        " order by (select min(sequence) from ingest.messages"
        " where messages.document_id = documents.document_id)",
        [list(texts)],
    )
    current = [texts[row["document_id"]] for row in rows]
    copies = near_copies.find(connection, current)
    near_copies.mark(connection, current, copies)
    return copies
