"""A past that a test makes up: documents, assessments, retractions and generations, day by day.

Written to the tables as the pipeline does, but with days of the test's choice.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

_ANSWER = """
insert into llm.prompts (prompt_version, step, system_text, user_template, reply_schema)
values ('v1', 'risk_findings', '', '', '{}');
insert into llm.requests (cache_key, step, prompt_version, model, parameters, messages)
values (repeat('0', 64), 'risk_findings', 'v1', 'm', '{}', '[]');
insert into risk.work_items (subject_type, subject_id, step, state)
values ('document', gen_random_uuid(), 'mentions', 'done');
insert into llm.attempts (cache_key, question_key, item_id, run_id, started_at, deadline)
select repeat('0', 64), repeat('0', 64), max(item_id), 'run', '2025-01-01', '2025-01-01'
from risk.work_items;
insert into llm.responses (attempt_id, cache_key, outcome, raw_body)
select max(attempt_id), repeat('0', 64), 'ok', '' from llm.attempts;
"""


@dataclass(frozen=True)
class Finding:
    """What an assessment reports. `event_date` is a day, or null."""

    level: int = 4
    dimension: str = "operational"
    event_type: str = "fire"
    status: str = "confirmed"
    event_date: str | None = None
    quote: str = "It burns."
    verified: bool = True
    keywords: tuple[str, ...] = ("fire",)


@dataclass(frozen=True)
class Mention:
    """A mention, and the document that it stands in."""

    mention_id: UUID
    document_id: UUID


class World:
    """`owner` may write everything; rows are of the day that a call names, at noon in UTC."""

    def __init__(self, owner: Connection[Any]) -> None:
        self._owner = owner
        self._numbers = itertools.count(1)
        owner.execute(_ANSWER)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Of schemas that the pipeline may not see."""
        return self._owner.execute(query).fetchall()

    def change(self, statement: str) -> None:
        """What no part of the pipeline would do."""
        self._owner.execute(statement)

    def _one(self, statement: Any, **values: Any) -> Any:
        row = self._owner.execute(statement, values).fetchone()
        assert row is not None
        return row[0]

    def supplier(self, supplier_id: str, **columns: Any) -> None:
        """A new version of a supplier of the master."""
        values = {"category": None, "tier": None, "spend": None, **columns}
        self.remove_supplier(supplier_id)
        self._owner.execute(
            "insert into ingest.suppliers (supplier_id, version, name, aliases, home_country,"
            " category, tier, annual_spend_usd) values (%(supplier_id)s, %(version)s,"
            " upper(%(supplier_id)s), '{}', 'DE', %(category)s, %(tier)s, %(spend)s)",
            {"supplier_id": supplier_id, "version": next(self._numbers), **values},
        )

    def remove_supplier(self, supplier_id: str) -> None:
        """It is in the master no more."""
        self._owner.execute(
            "update ingest.suppliers set replaced_at = now()"
            " where supplier_id = %s and replaced_at is null",
            [supplier_id],
        )

    def generation(self, day: str, status: str = "live") -> int:
        """Of another model than every other."""
        return int(
            self._one(
                "insert into risk.generations"
                " (kind, status, model, prompt_versions, opened_at, live_from)"
                " values ('stream', %(status)s, %(model)s, '{\"risk_findings\": \"v1\"}',"
                " %(day)s::date + time '08:00', case when %(status)s::text = 'live'"
                " then (%(day)s::date + time '08:00') at time zone 'utc' end)"
                " returning generation_id",
                status=status,
                model=f"model-{next(self._numbers)}",
                day=day,
            )
        )

    def promote(self, generation: int, day: str) -> None:
        """What waited in the shadow counts."""
        self._owner.execute(
            "update risk.generations set status = 'live',"
            " live_from = (%s::date + time '12:00') at time zone 'utc' where generation_id = %s",
            [day, generation],
        )

    def discard(self, generation: int, day: str) -> None:
        """What it wrote counts no more."""
        self._owner.execute(
            "update risk.generations set status = 'discarded',"
            " live_until = (%s::date + time '12:00') at time zone 'utc' where generation_id = %s",
            [day, generation],
        )

    def mention(
        self,
        day: str,
        supplier: str = "acme",
        country: str = "DE",
        publisher: str = "press",
        dated: str | None = None,
    ) -> Mention:
        """A document that was received on the day, and names one supplier."""
        document = uuid4()
        self._owner.execute(
            "insert into ingest.documents (document_id, source, external_id, version, title, body,"
            " publisher, published_at, received_at, content_sha256) values (%(id)s, 's',"
            " %(id)s::text, 1, 'News', 'It burns.', %(publisher)s,"
            " (%(dated)s::date + time '10:00') at time zone 'utc',"
            " (%(day)s::date + time '10:00') at time zone 'utc', sha256(%(id)s::text::bytea))",
            {"id": document, "publisher": publisher, "dated": dated or day, "day": day},
        )
        self._owner.execute(
            "insert into risk.pairs (supplier_id, country) values (%s, %s) on conflict do nothing",
            [supplier, country],
        )
        mention = self._one(
            "insert into risk.mentions (document_id, supplier_id, country, found_by,"
            " country_source, matched_text, created_at) values (%(document)s, %(supplier)s,"
            " %(country)s, 'alias', 'sentence', '', (%(day)s::date + time '11:00') at time zone"
            " 'utc') returning mention_id",
            document=document,
            supplier=supplier,
            country=country,
            day=day,
        )
        return Mention(mention, document)

    def assess(self, mention: Mention, generation: int, day: str, *findings: Finding) -> int:
        """What a generation says of a mention; returns the assessment."""
        assessment = int(
            self._one(
                "insert into risk.assessments (mention_id, generation_id, outcome, relevance,"
                " response_id, response_ids, run_id, created_at) select %(mention)s,"
                " %(generation)s, 'risk', 1, response_id, array[response_id], 'run',"
                " (%(day)s::date + time '12:00') at time zone 'utc' from llm.responses limit 1"
                " returning assessment_id",
                mention=mention.mention_id,
                generation=generation,
                day=day,
            )
        )
        for ordinal, finding in enumerate(findings):
            self._owner.execute(
                "insert into risk.findings (assessment_id, ordinal, dimension, level, status,"
                " event_type, event_date, keywords, quote, quote_start, quote_end, quote_verified,"
                " rationale) values (%(assessment)s, %(ordinal)s, %(dimension)s, %(level)s,"
                " %(status)s, %(event_type)s, %(event_date)s, %(keywords)s, %(quote)s, %(start)s,"
                " %(start)s, %(verified)s, '')",
                {
                    **vars(finding),
                    "keywords": list(finding.keywords),
                    "assessment": assessment,
                    "ordinal": ordinal,
                    "start": 0 if finding.verified else None,
                },
            )
        return assessment

    def news(self, day: str, generation: int, *findings: Finding, **mention: Any) -> Mention:
        """A document that was received and assessed on the same day."""
        mentioned = self.mention(day, **mention)
        self.assess(mentioned, generation, day, *(findings or [Finding()]))
        return mentioned

    def supersede(self, mention: Mention, by: Mention, day: str) -> None:
        """A corrected version of the document arrived."""
        self._owner.execute(
            "update ingest.documents set superseded_by = %s,"
            " marked_at = (%s::date + time '12:00') at time zone 'utc' where document_id = %s",
            [by.document_id, day, mention.document_id],
        )

    def retract(self, day: str, assessments: Sequence[int]) -> int:
        """Take assessments back; returns the retraction."""
        retraction = int(
            self._one(
                "insert into risk.retractions (filter, reason, made_by, made_at) values"
                " (%(filter)s, 'a test', 'a test', (%(day)s::date + time '12:00')"
                " at time zone 'utc') returning retraction_id",
                filter=Jsonb({}),
                day=day,
            )
        )
        for assessment in assessments:
            self._owner.execute(
                "insert into risk.retracted (retraction_id, assessment_id) values (%s, %s)",
                [retraction, assessment],
            )
        return retraction

    def undo(self, retraction: int, day: str) -> None:
        """What it covered counts again."""
        self._owner.execute(
            "update risk.retractions set undone_by = 'a test',"
            " undone_at = (%s::date + time '12:00') at time zone 'utc' where retraction_id = %s",
            [day, retraction],
        )

    def brief(self, day: str, generation: int, supplier: str, country: str) -> None:
        """A text on a pair that cites what is verified of it."""
        self._owner.execute(
            "insert into risk.briefs (supplier_id, country, generation_id, response_id, text,"
            " finding_ids, run_id, created_at) select %(supplier)s, %(country)s, %(generation)s,"
            " (select response_id from llm.responses limit 1), 'It burns. [1]',"
            " array_agg(finding_id order by finding_id), 'run',"
            " (%(day)s::date + time '13:00') at time zone 'utc'"
            " from risk.mentions join risk.assessments using (mention_id)"
            " join risk.findings using (assessment_id)"
            " where supplier_id = %(supplier)s and country = %(country)s"
            " and quote_verified and level > 0 having count(*) > 0",
            {"supplier": supplier, "country": country, "generation": generation, "day": day},
        )
