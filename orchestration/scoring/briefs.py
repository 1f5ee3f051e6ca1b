"""Briefs: what happened to one supplier in one country, in at most five cited sentences.

Made from verified findings only. The cache key holds the findings' words in an order of their own,
not their ids, so a brief is asked for again only when what it says could change. When none is left,
a row without text says so; nothing is deleted.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from orchestration.crash_points import reach
from orchestration.ingestion import changed_pairs, work_items
from orchestration.ingestion.work_items import Done, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring import prompts
from orchestration.scoring.calls import Answer, Call
from orchestration.scoring.countries import country_name
from orchestration.scoring.engine import answer_stream
from orchestration.scoring.replies import BriefReply
from orchestration.scoring.report import RunReport
from orchestration.scoring.steps import Claims, NotKept, Run, keep_or_fail
from orchestration.scoring.visible import visible

CHUNK = 100
MAX_FINDINGS = 30
_NEW = {"written", "withdrawn"}  # outcomes that leave another brief than before


@dataclass(frozen=True)
class _Subject:
    """A claimed pair with the findings that its brief may cite, the gravest first."""

    item: Item
    supplier_id: str
    country: str
    supplier_name: str
    findings: Sequence[dict[str, Any]]

    @property
    def partition_key(self) -> str:
        return f"{self.supplier_id}@{self.country}"

    def call(self, run: Run) -> Call:
        lines = [
            f"{number}. level {row['level']}, {row['dimension']}, {row['event_type']}, "
            f"{row['status']}: {json.dumps(visible(row['quote']), ensure_ascii=False)}"
            for number, row in enumerate(self.findings, start=1)
        ]
        places = {
            "supplier": prompts.line(self.supplier_name),
            "country": f"{country_name(self.country)} ({self.country})",
            "findings": prompts.delimited("\n".join(lines)),
        }
        return Call(
            self.item.item_id,
            prompts.RISK_BRIEFS,
            places,
            run.llm,
            self._fault,
            run.asked_anew_in,
        )

    def _fault(self, reply: BriefReply) -> str | None:
        cited = {number for sentence in reply.sentences for number in sentence.cites}
        unknown = sorted(number for number in cited if not 1 <= number <= len(self.findings))
        return f"the brief cites findings that were not given: {unknown[:5]}" if unknown else None


def renew(connection: Connection, pair_ids: Sequence[UUID], generation_id: int) -> None:
    """What these pairs rest on changed: Dagster is to hear of them, and their briefs are old now,
    also one that a run is writing."""
    if pair_ids:
        with connection.transaction():
            work_items.enqueue(connection, "pair", pair_ids, "briefs", generation_id)
            work_items.reopen(
                connection, pair_ids, "briefs", generation_id, ("done", "dead", "claimed")
            )
            # last, as where a brief is kept: two runs that wait for each other would both fail
            changed_pairs.note(connection, pair_ids)


def write_pending(run: Run, report: RunReport, pair_ids: Sequence[UUID] | None = None) -> None:
    """Write all claimable briefs of the run's generation, of these pairs only if given.

    One stream from the claim to the commit: what is answered is kept while others are asked.
    """
    claims = Claims(run, "briefs", run.generation_id, pair_ids)
    with claims.given_back():
        answer_stream(run.connection, run.llm, run.run_id, _Writing(claims, report))


class _Writing:
    """The step's work for the engine (see calls.Work)."""

    def __init__(self, claims: Claims, report: RunReport) -> None:
        self.keep_alive = claims.renew
        self._claims = claims
        self._run = claims.run
        self._report = report
        # by item and question: a pair that changes while its brief is written is claimed once more
        self._asked: dict[tuple[int, str], _Subject] = {}

    def more(self) -> Sequence[Call] | None:
        """Of the next pairs; those of which there is nothing to tell are done without."""
        if not (items := self._claims.take(CHUNK)):
            return None
        subjects = _load_subjects(self._run, items)
        if empty := [subject for subject in subjects if not subject.findings]:
            self._finish([(subject, None) for subject in empty])
        calls = []
        for subject in (subject for subject in subjects if subject.findings):
            call = subject.call(self._run)
            self._asked[call.item_id, call.cache_key] = subject
            calls.append(call)
        return calls

    def keep(self, answered: Sequence[tuple[Call, Answer]]) -> Sequence[Call]:
        """Keeps the briefs; each failure fails its own pair."""
        reach("after_save_before_done")
        given = {
            subject.item.item_id: (subject, answer)
            for call, answer in answered
            if (subject := self._asked.pop((call.item_id, call.cache_key), None))
        }
        for subject, answer in given.values():
            self._report.pair(subject.partition_key).count(answer)
        self._finish(list(given.values()))
        return []

    def _finish(self, told: Sequence[tuple[_Subject, Answer | None]]) -> None:
        run = self._run
        items = [subject.item for subject, _ in told]
        with run.connection.transaction():
            held = work_items.hold(run.connection, items)
            mine = [(subject, answer) for subject, answer in told if subject.item.item_id in held]
            ends = [self._end(subject, answer) for subject, answer in mine]
            done = [end for end in ends if isinstance(end, Done)]
            work_items.finish(run.connection, done)
            changed = [one.item.subject_id for one in done if one.outcome in _NEW]
            changed_pairs.note(run.connection, changed)
        self._claims.drop(items)

    def _end(self, subject: _Subject, answer: Answer | None) -> Done | NotKept:
        run = self._run
        if answer is None:
            is_new = _write(run, subject, None, None)
            return Done(subject.item, "withdrawn" if is_new else "no_findings")
        return keep_or_fail(run, subject.item, answer, partial(_keep, run, subject, answer))


def _load_subjects(run: Run, items: Sequence[Item]) -> list[_Subject]:
    rows = run.connection.execute(
        """
        select
            pairs.pair_id, pairs.supplier_id, pairs.country,
            coalesce(suppliers.name, pairs.supplier_id) as supplier_name,
            coalesce(usable.findings, '[]') as findings
        from risk.pairs
        left join ingest.suppliers
            on suppliers.supplier_id = pairs.supplier_id and suppliers.replaced_at is null
        left join lateral (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'finding_id', graded.finding_id, 'level', graded.level,
                        'dimension', graded.dimension, 'event_type', graded.event_type,
                        'status', graded.status, 'quote', graded.quote
                    ) order by graded.place
                ) as findings
            from (
                select
                    findings.*,
                    row_number() over (
                        order by
                            findings.level desc, documents.published_at desc, findings.quote,
                            findings.dimension, findings.event_type, findings.status,
                            findings.finding_id
                    ) as place
                from risk.current_mentions
                cross join lateral (
                    select assessment_id from risk.assessments_with(%s) as assessments
                    where assessments.mention_id = current_mentions.mention_id
                    limit 1
                ) as assessed
                inner join risk.findings using (assessment_id)
                inner join ingest.documents using (document_id)
                where
                    current_mentions.supplier_id = pairs.supplier_id
                    and current_mentions.country = pairs.country
                    and findings.quote_verified and findings.level > 0
                order by place
                limit %s
            ) as graded
        ) as usable on true
        where pairs.pair_id = any(%s)
        """,
        [run.generation_id, MAX_FINDINGS, [item.subject_id for item in items]],
    )
    by_pair = {row.pop("pair_id"): row for row in rows}
    return [_Subject(item=item, **by_pair[item.subject_id]) for item in items]


def _keep(run: Run, subject: _Subject, answer: Answer) -> Done:
    reply: BriefReply = answer.reply
    sentences = [
        f"{sentence.text.strip()} {''.join(f'[{number}]' for number in sentence.cites)}"
        for sentence in reply.sentences
    ]
    is_new = _write(run, subject, answer.response_id, " ".join(sentences))
    return Done(subject.item, "written" if is_new else "unchanged")


def _write(run: Run, subject: _Subject, response_id: int | None, text: str | None) -> bool:
    """A new row, unless the pair's newest says the same. Without a text it says that there is
    nothing to tell any more; where nothing was told before, no row is needed to say so."""
    written = run.connection.execute(
        """
        with newest as (
            select generation_id, response_id, text, finding_ids
            from risk.briefs_with(%(generation_id)s)
            where supplier_id = %(supplier_id)s and country = %(country)s
        )

        insert into risk.briefs (
            supplier_id, country, generation_id, response_id, text, finding_ids, run_id
        )
        select
            %(supplier_id)s, %(country)s, %(generation_id)s, %(response_id)s, %(text)s,
            %(finding_ids)s, %(run_id)s
        where case
            when %(text)s::text is null then exists (select from newest where text is not null)
            else not exists (
                select from newest
                where
                    generation_id = %(generation_id)s and response_id = %(response_id)s
                    and finding_ids = %(finding_ids)s::bigint[]
            )
        end
        """,
        {
            "supplier_id": subject.supplier_id,
            "country": subject.country,
            "generation_id": subject.item.generation_id,
            "response_id": response_id,
            "text": text,
            "finding_ids": [finding["finding_id"] for finding in subject.findings],
            "run_id": run.run_id,
        },
    )
    return written.rowcount == 1
