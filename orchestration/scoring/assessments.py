"""Assessments and their findings as rows. What is written here is never updated or deleted."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.ingestion.work_items import Item
from orchestration.scoring.replies import Finding
from orchestration.scoring.steps import Run


@dataclass(frozen=True)
class Assessed:
    """What one document says about a mention; each finding with its quote's place, if any."""

    item: Item
    outcome: str
    relevance: float
    response_ids: Sequence[int]
    findings: Sequence[tuple[Finding, tuple[int, int] | None]]


def write_assessments(run: Run, assessed: Sequence[Assessed]) -> None:
    """Those that the generation has already stay as they are, with their findings."""
    with run.connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into risk.assessments (
                mention_id, generation_id, outcome, relevance, response_id, response_ids, run_id
            ) values (%s, %s, %s, %s, %s, %s, %s)
            on conflict (mention_id, generation_id) do nothing
            returning assessment_id
            """,
            [
                (
                    one.item.subject_id,
                    one.item.generation_id,
                    one.outcome,
                    one.relevance,
                    one.response_ids[0],
                    list(one.response_ids),
                    run.run_id,
                )
                for one in assessed
            ],
            returning=True,
        )
        ids = [cursor.fetchone() for _ in cursor.results()] if assessed else []
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
            [
                row
                for one, new in zip(assessed, ids, strict=True)
                if new is not None
                for row in _findings(one, new["assessment_id"])
            ],
        )


def _findings(assessed: Assessed, assessment_id: int) -> list[dict[str, object]]:
    return [
        {
            **finding.model_dump(),
            "assessment_id": assessment_id,
            "ordinal": ordinal,
            "quote_start": place[0] if place else None,
            "quote_end": place[1] if place else None,
            "quote_verified": place is not None,
        }
        for ordinal, (finding, place) in enumerate(assessed.findings)
    ]
