"""Asks the configured model about documents, clean and attacked, through engine, cache and ledger.

The calls belong to one work item that is done from the start: no run takes it up, no assessment is
written, and the ledger shows what was paid.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from orchestration.ingestion.message import Document
from orchestration.ingestion.suppliers import Supplier
from orchestration.resources.postgres import Connection, one
from orchestration.scoring import prompts
from orchestration.scoring.calls import OK, Answer, Call
from orchestration.scoring.engine import answer_all
from orchestration.scoring.evidence import document_text
from orchestration.scoring.findings import findings_call
from orchestration.scoring.injection.attacks import PLACES, Attack, attacked
from orchestration.scoring.injection.figures import Trial
from orchestration.scoring.mention_rule import SupplierIndex, find_mentions
from orchestration.settings import LlmSettings

RUN_ID = "injection-report"
_SUBJECT = UUID("6b0f6c0e-5f0c-4a64-9d2e-0d3c5c5d8f11")
_CALLS_AT_ONCE = 500


@dataclass(frozen=True)
class Subject:
    """A document with a supplier that it is known to mention, in a country."""

    document: Document
    supplier: Supplier
    country: str

    @property
    def token(self) -> str:
        """The document's canary: nothing that a model would write by itself."""
        return "KX" + hashlib.sha256(self.document.content_sha256).hexdigest()[:10].upper()


@dataclass(frozen=True)
class Asked:
    """The trials, how many documents stand behind them, and what they cost now (USD, None if the
    price is unknown). `unusable` documents had no good answer without an attack."""

    trials: list[Trial]
    documents: int
    unusable: int
    paid_calls: int
    cost_usd: Decimal | None


def subjects(
    documents: Iterable[Document], suppliers: Sequence[Supplier], limit: int, longest: int
) -> Iterator[Subject]:
    """The first `limit` documents of at most `longest` characters with a title and a mention."""
    index = SupplierIndex(suppliers)
    by_id = {supplier.supplier_id: supplier for supplier in suppliers}
    found = 0
    for document in documents:
        if found == limit:
            return
        text = document_text(document.title, document.text)
        if not document.title or len(text) > longest:
            continue
        if mentions := find_mentions(text, document.language, (), index).kept:
            found += 1
            yield Subject(document, by_id[mentions[0].supplier_id], mentions[0].country)


def ask(
    connection: Connection,
    llm: LlmSettings,
    asked_about: Sequence[Subject],
    attacks: Sequence[Attack],
) -> Asked:
    """Each attack once in each document, its place (first, middle, last) changing from one to the
    next. Raises as `answer_all`."""
    prompts.register(connection, prompts.RISK_FINDINGS)
    item_id = _item(connection)
    clean = [
        _call(item_id, one, document_text(one.document.title, one.document.text), llm)
        for one in asked_about
    ]
    pairs = [
        (number, attack, _attacked_call(item_id, subject, attack, number + offset, llm))
        for number, subject in enumerate(asked_about)
        for offset, attack in enumerate(attacks)
    ]
    answers = _answers(connection, llm, [*clean, *(call for _, _, call in pairs)])
    texts = _texts(connection, list(answers))
    trials = []
    for number, attack, call in pairs:
        before, after = answers[clean[number].cache_key], answers[call.cache_key]
        if before.outcome == OK:
            leaked = asked_about[number].token in texts.get(call.cache_key, "")
            trials.append(Trial(attack, before.reply, after.reply, leaked))
    costs = [answer.cost_usd for answer in answers.values()]
    return Asked(
        trials=trials,
        documents=len(asked_about),
        unusable=sum(answers[call.cache_key].outcome != OK for call in clean),
        paid_calls=sum(answer.calls for answer in answers.values()),
        cost_usd=None if None in costs else sum((cost for cost in costs if cost), Decimal(0)),
    )


def _attacked_call(
    item_id: int, subject: Subject, attack: Attack, turn: int, llm: LlmSettings
) -> Call:
    written = attack.written(subject.token)
    place = PLACES[turn % len(PLACES)]
    text = attacked(subject.document.title, subject.document.text, written, place)
    return _call(item_id, subject, text, llm)


def _call(item_id: int, subject: Subject, text: str, llm: LlmSettings) -> Call:
    names = [subject.supplier.name, *subject.supplier.aliases]
    return findings_call(item_id, text, names, subject.country, llm)


def _answers(connection: Connection, llm: LlmSettings, calls: Sequence[Call]) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for start in range(0, len(calls), _CALLS_AT_ONCE):
        chunk = [one for one in calls[start:][:_CALLS_AT_ONCE] if one.cache_key not in answers]
        answers |= answer_all(connection, llm, chunk, RUN_ID, lambda: None)
    return answers


def _item(connection: Connection) -> int:
    """The work item that the calls are booked to; made by the first report."""
    connection.execute(
        "insert into risk.work_items (subject_type, subject_id, step, state, outcome, finished_at)"
        " values ('document', %s, 'findings', 'done', 'injection_report', now())"
        " on conflict (subject_type, subject_id, step, generation_id) do nothing",
        [_SUBJECT],
    )
    row = one(connection, "select item_id from risk.work_items where subject_id = %s", [_SUBJECT])
    return int(row["item_id"])


def _texts(connection: Connection, cache_keys: Sequence[str]) -> dict[str, str]:
    """All that was answered to a question, also what broke the schema or was asked for again."""
    rows = connection.execute(
        "select cache_key, string_agg(answer, E'\\n') as answers from llm.responses"
        " where cache_key = any(%s) group by cache_key",
        [list(cache_keys)],
    )
    return {row["cache_key"]: row["answers"] or "" for row in rows}
