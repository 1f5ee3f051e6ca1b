"""Findings: what one document says about one supplier in one country, asked of the LLM.

Each answer becomes an assessment with findings, their quotes looked up in the document; each
failure stays with its work item. Nothing that is written here is updated or deleted later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import DictRow

from orchestration.ingestion import work_items
from orchestration.ingestion.work_items import Done, Failure, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring import prompts
from orchestration.scoring.calls import OK, Answer, Call
from orchestration.scoring.engine import answer_all
from orchestration.scoring.evidence import document_text, find_quote
from orchestration.scoring.matching import country_name
from orchestration.scoring.replies import FindingsReply
from orchestration.scoring.report import RunReport
from orchestration.settings import LlmSettings

CHUNK = 200


@dataclass(frozen=True)
class Run:
    """What every step of one scoring run needs."""

    connection: Connection
    llm: LlmSettings
    run_id: str
    generation_id: int
    max_attempts: int


@dataclass(frozen=True)
class _Subject:
    """A claimed mention with its document."""

    item: Item
    partition_key: str
    supplier_name: str
    aliases: Sequence[str]
    country: str
    text: str
    is_outdated: bool

    def call(self, run: Run) -> Call:
        names = [self.supplier_name, *sorted(self.aliases)]
        places = {
            "document": prompts.delimited(self.text),
            "supplier": " | ".join(names),
            "country": f"{country_name(self.country)} ({self.country})",
        }
        return Call(
            self.item.item_id,
            prompts.RISK_FINDINGS,
            places,
            run.llm,
        )


def score_pending(
    run: Run, report: RunReport, limit: int, mention_ids: Sequence[UUID] | None = None
) -> None:
    """Assess claimable mentions, at most `limit`, of these only if given; chunk by chunk."""
    left = limit
    while left > 0 and (
        items := work_items.claim(
            run.connection, "findings", min(CHUNK, left), run.max_attempts, mention_ids
        )
    ):
        left -= len(items)
        try:
            _score(run, report, _load_subjects(run.connection, items))
        except BaseException:
            work_items.release(run.connection, items)
            raise


def _load_subjects(connection: Connection, items: Sequence[Item]) -> list[_Subject]:
    rows = connection.execute(
        """
        select
            mentions.mention_id, pairs.partition_key, mentions.country,
            coalesce(suppliers.name, mentions.supplier_id) as supplier_name,
            coalesce(suppliers.aliases, '{}') as aliases,
            documents.title, documents.body,
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
        text=document_text(row["title"], row["body"]),
        is_outdated=row["is_outdated"],
    )


def _score(run: Run, report: RunReport, subjects: Sequence[_Subject]) -> None:
    current = [subject for subject in subjects if not subject.is_outdated]
    calls = {subject.item.item_id: subject.call(run) for subject in current}
    answers = answer_all(run.connection, run.llm, list(calls.values()), run.run_id)
    counted: set[str] = set()
    with run.connection.transaction():
        held = work_items.hold(run.connection, [subject.item for subject in subjects])
        done = [
            Done(subject.item, "superseded")
            for subject in subjects
            if subject.is_outdated and subject.item.item_id in held
        ]
        for subject in (subject for subject in current if subject.item.item_id in held):
            key = calls[subject.item.item_id].cache_key
            answer = answers[key]
            if key not in counted:
                counted.add(key)
                report.pair(subject.partition_key).count(answer)
            if answer.outcome == OK:
                done.append(_keep(run, subject, answer))
                report.pair(subject.partition_key).documents += 1
                report.outcomes["scored"] += 1
            else:
                failure = Failure(answer.outcome, answer.detail, answer.is_transient)
                is_dead = work_items.fail(run.connection, subject.item, failure, run.max_attempts)
                report.outcomes["dead" if is_dead else "later"] += 1
                report.pair(subject.partition_key).failed += 1
        work_items.finish(run.connection, done)
        _ask_for_briefs(run, {subject.partition_key for subject in subjects})


def _keep(run: Run, subject: _Subject, answer: Answer) -> Done:
    reply: FindingsReply = answer.reply
    outcome = "risk" if any(finding.level > 0 for finding in reply.findings) else "no_risk"
    row = run.connection.execute(
        """
        insert into risk.assessments (
            mention_id, generation_id, outcome, relevance, response_id, run_id
        ) values (%s, %s, %s, %s, %s, %s)
        on conflict (mention_id, generation_id) do nothing
        returning assessment_id
        """,
        [
            subject.item.subject_id,
            subject.item.generation_id,
            outcome,
            reply.relevance,
            answer.response_id,
            run.run_id,
        ],
    ).fetchone()
    if row is not None:
        _keep_findings(run.connection, row["assessment_id"], reply, subject.text)
    return Done(subject.item, outcome)


def _keep_findings(
    connection: Connection, assessment_id: int, reply: FindingsReply, text: str
) -> None:
    rows = []
    for ordinal, finding in enumerate(reply.findings):
        place = find_quote(finding.quote, text)
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
    """The briefs of touched pairs are old now, also one that another run is writing."""
    rows = run.connection.execute(
        "select pair_id from risk.pairs where partition_key = any(%s)", [list(partition_keys)]
    )
    pair_ids = [row["pair_id"] for row in rows]
    work_items.enqueue(run.connection, "pair", pair_ids, "briefs", run.generation_id)
    work_items.reopen(
        run.connection, pair_ids, "briefs", run.generation_id, ("done", "dead", "claimed")
    )
