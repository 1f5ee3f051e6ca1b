"""Assessments and their findings as rows. What is written here is never updated or deleted."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

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
    new = run.connection.execute(
        """
        insert into risk.assessments (
            mention_id, generation_id, outcome, relevance, response_id, response_ids, run_id
        )
        select *, %s from jsonb_to_recordset(%s) as rows (
            mention_id uuid, generation_id bigint, outcome text, relevance real,
            response_id bigint, response_ids bigint[]
        )
        on conflict (mention_id, generation_id) do nothing
        returning mention_id, generation_id, assessment_id
        """,
        [run.run_id, Jsonb([_assessment(one) for one in assessed])],
    )
    ids = {(row["mention_id"], row["generation_id"]): row["assessment_id"] for row in new}
    findings = [
        row
        for one in assessed
        if (assessment_id := ids.get((one.item.subject_id, one.item.generation_id)))
        for row in _findings(one, assessment_id)
    ]
    run.connection.execute(
        """
        insert into risk.findings (
            assessment_id, ordinal, dimension, level, status, event_type, event_date,
            keywords, quote, quote_start, quote_end, quote_verified, rationale
        )
        select * from jsonb_to_recordset(%s) as rows (
            assessment_id bigint, ordinal smallint, dimension text, level smallint, status text,
            event_type text, event_date date, keywords text[], quote text, quote_start integer,
            quote_end integer, quote_verified boolean, rationale text
        )
        """,
        [Jsonb(findings)],
    )


def _assessment(one: Assessed) -> dict[str, object]:
    return {
        "mention_id": str(one.item.subject_id),
        "generation_id": one.item.generation_id,
        "outcome": one.outcome,
        "relevance": one.relevance,
        "response_id": one.response_ids[0],
        "response_ids": list(one.response_ids),
    }


def _findings(assessed: Assessed, assessment_id: int) -> list[dict[str, object]]:
    return [
        {
            **finding.model_dump(mode="json"),
            "assessment_id": assessment_id,
            "ordinal": ordinal,
            "quote_start": place[0] if place else None,
            "quote_end": place[1] if place else None,
            "quote_verified": place is not None,
        }
        for ordinal, (finding, place) in enumerate(assessed.findings)
    ]
