"""Briefs: what happened to one supplier in one country, in at most five cited sentences.

Made from verified findings only. The cache key holds the findings' words in an order of their own,
not their ids, so a brief is asked for again only when what it says could change.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from orchestration.ingestion import changed_pairs, work_items
from orchestration.ingestion.work_items import Done, Item
from orchestration.scoring import prompts
from orchestration.scoring.calls import Answer, Call
from orchestration.scoring.countries import country_name
from orchestration.scoring.replies import BriefReply
from orchestration.scoring.report import RunReport
from orchestration.scoring.steps import Run, ask, keep_or_fail
from orchestration.scoring.visible import visible

CHUNK = 100
MAX_FINDINGS = 30


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
        )

    def _fault(self, reply: BriefReply) -> str | None:
        cited = {number for sentence in reply.sentences for number in sentence.cites}
        unknown = sorted(number for number in cited if not 1 <= number <= len(self.findings))
        return f"the brief cites findings that were not given: {unknown[:5]}" if unknown else None


def write_pending(run: Run, report: RunReport, pair_ids: Sequence[UUID] | None = None) -> None:
    """Write all claimable briefs of the run's generation, of these pairs only if given, chunk by
    chunk."""
    while items := work_items.claim(
        run.connection, "briefs", CHUNK, run.max_attempts, pair_ids, run.generation_id
    ):
        with work_items.given_back(run.connection, items, run.max_attempts):
            _write(run, report, _load_subjects(run, items))


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
                inner join risk.current_assessments using (mention_id)
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
        [MAX_FINDINGS, [item.subject_id for item in items]],
    )
    by_pair = {row.pop("pair_id"): row for row in rows}
    return [_Subject(item=item, **by_pair[item.subject_id]) for item in items]


def _write(run: Run, report: RunReport, subjects: Sequence[_Subject]) -> None:
    items = [subject.item for subject in subjects]
    calls = {subject.item.item_id: subject.call(run) for subject in subjects if subject.findings}
    answers = ask(run, items, list(calls.values()))
    with run.connection.transaction():
        held = work_items.hold(run.connection, items)
        done = []
        for subject in (subject for subject in subjects if subject.item.item_id in held):
            pair = report.pair(subject.partition_key)
            if not subject.findings:
                done.append(Done(subject.item, "no_findings"))
                continue
            answer = answers[calls[subject.item.item_id].cache_key]
            pair.count(answer)
            kept = keep_or_fail(run, subject.item, answer, partial(_keep, run, subject, answer))
            if isinstance(kept, Done):
                done.append(kept)
        work_items.finish(run.connection, done)
        changed_pairs.note(run.connection, [one.item.subject_id for one in done])


def _keep(run: Run, subject: _Subject, answer: Answer) -> Done:
    reply: BriefReply = answer.reply
    sentences = [
        f"{sentence.text.strip()} {''.join(f'[{number}]' for number in sentence.cites)}"
        for sentence in reply.sentences
    ]
    run.connection.execute(
        """
        with newest as (
            select response_id, finding_ids from risk.briefs
            where
                supplier_id = %(supplier_id)s and country = %(country)s
                and generation_id = %(generation_id)s
            order by brief_id desc
            limit 1
        )

        insert into risk.briefs (
            supplier_id, country, generation_id, response_id, text, finding_ids, run_id
        )
        select
            %(supplier_id)s, %(country)s, %(generation_id)s, %(response_id)s, %(text)s,
            %(finding_ids)s, %(run_id)s
        where not exists (
            select from newest
            where response_id = %(response_id)s and finding_ids = %(finding_ids)s::bigint[]
        )
        """,
        {
            "supplier_id": subject.supplier_id,
            "country": subject.country,
            "generation_id": subject.item.generation_id,
            "response_id": answer.response_id,
            "text": " ".join(sentences),
            "finding_ids": [finding["finding_id"] for finding in subject.findings],
            "run_id": run.run_id,
        },
    )
    return Done(subject.item, "written")
