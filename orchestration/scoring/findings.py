"""Findings: what one document says about one supplier in one country, asked of the LLM.

The answer, or those to the parts of a long document, becomes an assessment with findings, their
quotes looked up in the document; each failure stays with its work item. Nothing that is written
here is updated or deleted later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from psycopg.rows import DictRow

from orchestration.ingestion import changed_pairs, work_items
from orchestration.ingestion.work_items import Done, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring import prompts
from orchestration.scoring.calls import Call
from orchestration.scoring.countries import country_name
from orchestration.scoring.evidence import document_text
from orchestration.scoring.parts import Reading, find_quote_from, merged, read_all
from orchestration.scoring.replies import Finding
from orchestration.scoring.report import RunReport
from orchestration.scoring.splitting import Part, split
from orchestration.scoring.steps import Run, ask, keep_or_fail
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
        return findings_call(
            self.item.item_id, shown, [self.supplier_name, *self.aliases], self.country, run.llm
        )


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


def score_pending(
    run: Run, report: RunReport, limit: int | None = None, mention_ids: Sequence[UUID] | None = None
) -> None:
    """Assess claimable mentions of the run's generation, at most `limit`, of these only if given;
    chunk by chunk."""
    taken = 0
    while (size := CHUNK if limit is None else min(CHUNK, limit - taken)) > 0 and (
        items := work_items.claim(
            run.connection, "findings", size, run.max_attempts, mention_ids, run.generation_id
        )
    ):
        taken += len(items)
        with work_items.given_back(run.connection, items, run.max_attempts):
            _score(run, report, _load_subjects(run.connection, items))


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


def _score(run: Run, report: RunReport, subjects: Sequence[_Subject]) -> None:
    items = [subject.item for subject in subjects]
    by_item = {subject.item.item_id: subject for subject in subjects}
    readings = {
        subject.item.item_id: Reading(
            subject.language, subject.parts(run.llm.max_document_characters)
        )
        for subject in subjects
        if not subject.is_outdated
    }
    read_all(
        readings,
        lambda item_id, part: by_item[item_id].call(part, run),
        lambda calls: ask(run, items, calls),
    )
    counted: set[str] = set()
    with run.connection.transaction():
        held = work_items.hold(run.connection, items)
        mine = [subject for subject in subjects if subject.item.item_id in held]
        done = []
        changed = set()
        for subject in mine:
            if subject.is_outdated:
                done.append(Done(subject.item, "superseded"))
                changed.add(subject.partition_key)
                continue
            pair = report.pair(subject.partition_key)
            reading = readings[subject.item.item_id]
            for cache_key in reading.asked.keys() - counted:
                pair.count(reading.asked[cache_key])
            counted |= reading.asked.keys()
            answer = reading.failure or reading.answers[0]
            kept = keep_or_fail(run, subject.item, answer, partial(_keep, run, subject, reading))
            if isinstance(kept, Done):
                done.append(kept)
                changed.add(subject.partition_key)
                pair.documents += 1
                report.outcomes["scored"] += 1
            else:
                pair.failed += 1
                report.outcomes["dead" if kept.is_dead else "later"] += 1
        work_items.finish(run.connection, done)
        _ask_for_briefs(run, changed)


def _keep(run: Run, subject: _Subject, reading: Reading) -> Done:
    reply, parts = merged(reading)
    outcome = "risk" if any(finding.level > 0 for finding in reply.findings) else "no_risk"
    row = run.connection.execute(
        """
        insert into risk.assessments (
            mention_id, generation_id, outcome, relevance, response_id, response_ids, run_id
        ) values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (mention_id, generation_id) do nothing
        returning assessment_id
        """,
        [
            subject.item.subject_id,
            subject.item.generation_id,
            outcome,
            reply.relevance,
            reading.response_ids[0],
            reading.response_ids,
            run.run_id,
        ],
    ).fetchone()
    if row is not None:
        _keep_findings(run.connection, row["assessment_id"], reply.findings, parts, subject.text)
    return Done(subject.item, outcome)


def _keep_findings(
    connection: Connection,
    assessment_id: int,
    findings: Sequence[Finding],
    parts: Sequence[Part],
    text: str,
) -> None:
    rows = []
    for ordinal, (finding, part) in enumerate(zip(findings, parts, strict=True)):
        place = find_quote_from(part, finding.quote, text)
        start, end = place if place else (None, None)
        rows.append(
            {
                **finding.model_dump(),
                "assessment_id": assessment_id,
                "ordinal": ordinal,
                "quote_start": start,
                "quote_end": end,
                "quote_verified": place is not None,
            }
        )
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into risk.findings (
                assessment_id, ordinal, dimension, level, status, event_type, event_date,
                keywords, quote, quote_start, quote_end, quote_verified, rationale
            ) values (
                %(assessment_id)s, %(ordinal)s, %(dimension)s, %(level)s, %(status)s,
                %(event_type)s, %(event_date)s, %(keywords)s, %(quote)s, %(quote_start)s,
                %(quote_end)s, %(quote_verified)s, %(rationale)s
            )
            """,
            rows,
        )


def _ask_for_briefs(run: Run, partition_keys: set[str]) -> None:
    """The briefs of changed pairs are old now, also one that another run is writing."""
    rows = run.connection.execute(
        "select pair_id from risk.pairs where partition_key = any(%s)", [list(partition_keys)]
    )
    pair_ids = [row["pair_id"] for row in rows]
    changed_pairs.note(run.connection, pair_ids)
    work_items.enqueue(run.connection, "pair", pair_ids, "briefs", run.generation_id)
    work_items.reopen(
        run.connection, pair_ids, "briefs", run.generation_id, ("done", "dead", "claimed")
    )
