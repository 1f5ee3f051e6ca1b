"""Findings: what one document says about one supplier in one country, asked of the LLM.

The answer, or those to the parts of a long document, becomes an assessment with findings, their
quotes looked up in the document; each failure stays with its work item. Nothing that is written
here is updated or deleted later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from orchestration.crash_points import reach
from orchestration.ingestion import work_items
from orchestration.ingestion.work_items import Done, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring import briefs, prompts
from orchestration.scoring.assessments import Assessed, write_assessments
from orchestration.scoring.calls import Answer, Call
from orchestration.scoring.countries import country_name
from orchestration.scoring.engine import answer_stream
from orchestration.scoring.evidence import document_text
from orchestration.scoring.parts import Reading, find_quote_from, merged
from orchestration.scoring.report import RunReport
from orchestration.scoring.splitting import Part, split
from orchestration.scoring.steps import Claims, Run, keep_or_fail
from orchestration.scoring.visible import visible
from orchestration.settings import LlmSettings

CHUNK = 200


@dataclass(frozen=True)
class _Subject:
    """A claimed mention with its document."""

    item: Item
    partition_key: str
    supplier_name: str
    aliases: Sequence[str]
    country: str
    title: str
    text: str
    language: str | None
    is_outdated: bool

    def parts(self, limit: int) -> list[Part]:
        return split(self.text, limit, self.language)

    def call(self, part: Part, run: Run) -> Call:
        """Later parts of a document show its title again."""
        shown = document_text(self.title, part.text) if part.start else part.text
        names = [self.supplier_name, *self.aliases]
        call = findings_call(self.item.item_id, shown, names, self.country, run.llm)
        return replace(call, asked_anew_in=run.asked_anew_in)


def findings_call(
    item_id: int, text: str, names: Sequence[str], country: str, llm: LlmSettings
) -> Call:
    """The question about one supplier, its name first, then its aliases, in one text."""
    name, *aliases = names
    places = {
        "document": prompts.delimited(visible(text)),
        "supplier": prompts.line(" | ".join([name, *sorted(aliases)])),
        "country": f"{country_name(country)} ({country})",
    }
    return Call(item_id, prompts.RISK_FINDINGS, places, llm)


def questions(run: Run, mention_ids: Sequence[UUID]) -> Iterator[Call]:
    """What a run would ask about these mentions at first, in their order, if nothing were known."""
    for begin in range(0, len(mention_ids), CHUNK):
        chunk = mention_ids[begin : begin + CHUNK]
        items = [Item(0, mention_id, run.generation_id, 0, 0) for mention_id in chunk]
        for subject in _load_subjects(run.connection, items):
            for part in subject.parts(run.llm.max_document_characters):
                yield subject.call(part, run)


def score_pending(
    run: Run, report: RunReport, limit: int | None = None, mention_ids: Sequence[UUID] | None = None
) -> None:
    """Assess claimable mentions of the run's generation, at most `limit`, of these only if given.

    One stream from the claim to the commit: what is answered is kept while others are asked.
    """
    claims = Claims(run, "findings", run.generation_id, mention_ids)
    with claims.given_back():
        answer_stream(run.connection, run.llm, run.run_id, _Assessing(claims, report, limit))


class _Assessing:
    """The step's work for the engine (see calls.Work)."""

    def __init__(self, claims: Claims, report: RunReport, limit: int | None) -> None:
        self.keep_alive = claims.renew
        self._claims = claims
        self._run = claims.run
        self._report = report
        self._left = limit
        self._subjects: dict[int, _Subject] = {}
        self._readings: dict[int, Reading] = {}
        self._counted: set[str] = set()

    def more(self) -> Sequence[Call] | None:
        """Of the next mentions; those of documents that are outdated are done without."""
        if not (items := self._claim()):
            return None
        subjects = _load_subjects(self._run.connection, items)
        for subject in subjects:
            parts = subject.parts(self._run.llm.max_document_characters)
            self._subjects[subject.item.item_id] = subject
            self._readings[subject.item.item_id] = Reading(subject.language, parts)
        outdated = [subject for subject in subjects if subject.is_outdated]
        if outdated:
            self._finish(outdated)
        return [c for s in subjects if not s.is_outdated for c in self._calls(s)]

    def keep(self, answered: Sequence[tuple[Call, Answer]]) -> Sequence[Call]:
        """Finishes what is read to its end; what was too long is asked about in halves."""
        touched: dict[int, _Subject] = {}
        for call, given in answered:
            subject = touched[call.item_id] = self._subjects[call.item_id]
            self._readings[call.item_id].take(call.cache_key, given)
            if call.cache_key not in self._counted:
                self._counted.add(call.cache_key)
                self._report.pair(subject.partition_key).count(given)
        further = [call for subject in touched.values() for call in self._calls(subject)]
        if ended := [s for key, s in touched.items() if self._readings[key].is_finished]:
            reach("after_save_before_done")
            self._finish(ended)
        return further

    def _claim(self) -> list[Item]:
        size = CHUNK if self._left is None else min(CHUNK, self._left)
        items = self._claims.take(size) if size else []
        if self._left is not None:
            self._left -= len(items)
        return items

    def _calls(self, subject: _Subject) -> list[Call]:
        reading = self._readings[subject.item.item_id]
        return reading.calls(lambda part: subject.call(part, self._run))

    def _finish(self, subjects: Sequence[_Subject]) -> None:
        """In one transaction; each failure is its item's own."""
        run = self._run
        with run.connection.transaction():
            held = work_items.hold(run.connection, [subject.item for subject in subjects])
            mine = [subject for subject in subjects if subject.item.item_id in held]
            done = {s.item.item_id: Done(s.item, "superseded") for s in mine if s.is_outdated}
            done |= self._assess([subject for subject in mine if not subject.is_outdated])
            work_items.finish(run.connection, list(done.values()))
            _renew_briefs(run, {s.partition_key for s in mine if s.item.item_id in done})
        self._claims.drop(subject.item for subject in subjects)
        for subject in subjects:
            del self._subjects[subject.item.item_id], self._readings[subject.item.item_id]

    def _assess(self, subjects: Sequence[_Subject]) -> dict[int, Done]:
        """All good ones together; where that fails, one by one, and those without an answer."""
        readings = {s.item.item_id: self._readings[s.item.item_id] for s in subjects}
        done = self._keep_together([s for s in subjects if readings[s.item.item_id].is_good])
        for subject in subjects:
            reading = readings[subject.item.item_id]
            pair = self._report.pair(subject.partition_key)
            kept = done.get(subject.item.item_id) or keep_or_fail(
                self._run,
                subject.item,
                reading.failure or reading.answers[0],
                partial(self._keep, subject, reading),
            )
            if isinstance(kept, Done):
                done[subject.item.item_id] = kept
                pair.documents += 1
                self._report.outcomes["scored"] += 1
            else:
                pair.failed += 1
                self._report.outcomes["dead" if kept.is_dead else "later"] += 1
        return done

    def _keep_together(self, subjects: Sequence[_Subject]) -> dict[int, Done]:
        try:
            with self._run.connection.transaction():
                assessed = [_assessed(s, self._readings[s.item.item_id]) for s in subjects]
                write_assessments(self._run, assessed)
        except psycopg.OperationalError:
            raise
        except Exception:  # one of them is at fault: which one shows when they are kept alone
            return {}
        return {one.item.item_id: Done(one.item, one.outcome) for one in assessed}

    def _keep(self, subject: _Subject, reading: Reading) -> Done:
        assessed = _assessed(subject, reading)
        write_assessments(self._run, [assessed])
        return Done(subject.item, assessed.outcome)


def _assessed(subject: _Subject, reading: Reading) -> Assessed:
    reply, parts = merged(reading)
    places = [
        find_quote_from(part, finding.quote, subject.text)
        for finding, part in zip(reply.findings, parts, strict=True)
    ]
    return Assessed(
        item=subject.item,
        outcome="risk" if any(finding.level > 0 for finding in reply.findings) else "no_risk",
        relevance=reply.relevance,
        response_ids=reading.response_ids,
        findings=list(zip(reply.findings, places, strict=True)),
    )


def _load_subjects(connection: Connection, items: Sequence[Item]) -> list[_Subject]:
    rows = connection.execute(
        """
        select
            mentions.mention_id, pairs.partition_key, mentions.country,
            coalesce(suppliers.name, mentions.supplier_id) as supplier_name,
            coalesce(suppliers.aliases, '{}') as aliases,
            documents.title, documents.body, documents.language,
            documents.superseded_by is not null as is_outdated
        from risk.mentions
        inner join risk.pairs using (supplier_id, country)
        inner join ingest.documents using (document_id)
        left join ingest.suppliers
            on suppliers.supplier_id = mentions.supplier_id and suppliers.replaced_at is null
        where mentions.mention_id = any(%s)
        """,
        [[item.subject_id for item in items]],
    )
    by_mention: dict[UUID, DictRow] = {row["mention_id"]: row for row in rows}
    return [_subject(item, by_mention[item.subject_id]) for item in items]


def _subject(item: Item, row: DictRow) -> _Subject:
    return _Subject(
        item=item,
        partition_key=row["partition_key"],
        supplier_name=row["supplier_name"],
        aliases=row["aliases"],
        country=row["country"],
        title=row["title"],
        text=document_text(row["title"], row["body"]),
        language=row["language"],
        is_outdated=row["is_outdated"],
    )


def _renew_briefs(run: Run, partition_keys: set[str]) -> None:
    rows = run.connection.execute(
        "select pair_id from risk.pairs where partition_key = any(%s)", [list(partition_keys)]
    )
    pair_ids = [row["pair_id"] for row in rows]
    briefs.renew(run.connection, pair_ids, run.generation_id)
