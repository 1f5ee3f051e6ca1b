"""Full-text search over documents and answers, the best matches first.

The marks around the words that were found are private-use characters, which no shown text keeps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from orchestration.errors import UsageError
from orchestration.ingestion.words import take_words
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.visible import visible

DOCUMENTS, ANSWERS = "documents", "answers"
BEGIN, END = "\ue000", "\ue001"
# Of a frequent word only the newest matches are ranked.
MOST_RANKED = 5_000
# Of texts that came in since the last run so many are made searchable first: half a second's work.
MOST_TAKEN = 1_000
_SHOWN_CHARACTERS = 100_000  # as much of a text as is searched


@dataclass(frozen=True)
class Hit:
    """One document or answer. `excerpt` holds BEGIN and END around each word that was found;
    `subjects` are pairs (supplier@COUNTRY), `number` is a document's id or an answer's number."""

    kind: str
    number: str
    rank: float
    title: str
    subjects: tuple[str, ...]
    written_at: datetime
    excerpt: str


@dataclass(frozen=True)
class Found:
    """The best hits, the kinds of which only the newest MOST_RANKED matches were ranked, and
    whether all texts were searched: those of the last minutes may have to wait for a run."""

    hits: Sequence[Hit]
    partly_ranked: Sequence[str]
    is_complete: bool


def search(
    connection: Connection,
    words: str,
    kinds: Sequence[str] = (DOCUMENTS, ANSWERS),
    limit: int = 10,
    most_ranked: int = MOST_RANKED,
) -> Found:
    """The best `limit` matches of a web search's words: "a phrase", or, -not."""
    query = _read(connection, words)
    is_complete = take_words(connection, MOST_TAKEN)
    ranked: list[Mapping[str, Any]] = []
    partly = []
    for kind in kinds:
        rows = connection.execute(
            _RANKED[kind], {"query": query, "most": most_ranked, "limit": limit}
        ).fetchall()
        ranked += [{**row, "kind": kind} for row in rows]
        if rows and rows[0]["matches"] > most_ranked:
            partly.append(kind)
    ranked.sort(key=lambda row: row["rank"], reverse=True)
    return Found(_shown(connection, query, ranked[:limit]), partly, is_complete)


def _read(connection: Connection, words: str) -> str:
    """The query as PostgreSQL reads it. Raises UsageError where no word is left of it."""
    sent = visible(words.encode(errors="replace").decode())
    row = one(connection, "select websearch_to_tsquery('english', %s)::text as query", [sent])
    if not row["query"]:
        raise UsageError(
            "There is nothing to search for: give at least one word that is more than a filler "
            "such as 'the' or 'of'."
        )
    return str(row["query"])


_RANKED: Mapping[str, LiteralString] = {
    DOCUMENTS: """
        with matches as (
            select document_id, words from ingest.document_words
            where words @@ %(query)s::tsquery
            order by received_at desc
            limit %(most)s + 1
        )

        select
            document_id::text as number, count(*) over () as matches,
            ts_rank(words, %(query)s::tsquery, 1) as rank
        from matches
        order by rank desc, document_id
        limit %(limit)s
    """,
    ANSWERS: """
        with matches as (
            select response_id, words from llm.response_words
            where words @@ %(query)s::tsquery
            order by created_at desc
            limit %(most)s + 1
        )

        select
            response_id::text as number, count(*) over () as matches,
            ts_rank(words, %(query)s::tsquery, 1) as rank
        from matches
        order by rank desc, response_id
        limit %(limit)s
    """,
}

_HEADLINE: LiteralString = """ts_headline(
    'english', translate(left(shown, %(characters)s), %(marks)s, ''), %(query)s::tsquery,
    %(options)s
) as excerpt"""
_OPTIONS = (
    f"StartSel={BEGIN}, StopSel={END}, MaxFragments=2, MaxWords=30, MinWords=10, "
    'FragmentDelimiter=" … "'
)

_DETAILS: Mapping[str, LiteralString] = {
    DOCUMENTS: f"""
        select
            documents.document_id::text as number, documents.title,
            documents.received_at as written_at, {_HEADLINE},
            array(
                select supplier_id || '@' || country from risk.mentions
                where mentions.document_id = documents.document_id
                order by supplier_id, country
            ) as subjects
        from ingest.documents
        cross join lateral (select title || e'\\n' || body as shown) as texts
        where documents.document_id = any(%(numbers)s::uuid[])
    """,
    # what an answer is about is known from the work that asked for it
    ANSWERS: f"""
        select
            responses.response_id::text as number,
            requests.step || coalesce(': ' || documents.title, '') as title,
            responses.created_at as written_at, {_HEADLINE},
            case when pairs.pair_id is not null then array[pairs.partition_key] else array(
                select supplier_id || '@' || country from risk.mentions as others
                where
                    others.document_id = documents.document_id
                    and (items.subject_type = 'document' or others.mention_id = items.subject_id)
                order by supplier_id, country
            ) end as subjects
        from llm.responses
        cross join lateral (
            select regexp_replace(answer, '"[a-z_]+":|[][{{}}]', ' ', 'g') as shown
        ) as texts
        inner join llm.requests using (cache_key)
        inner join llm.attempts using (attempt_id)
        inner join risk.work_items as items using (item_id)
        left join risk.mentions
            on items.subject_type = 'mention' and mentions.mention_id = items.subject_id
        left join risk.pairs on items.subject_type = 'pair' and pairs.pair_id = items.subject_id
        left join ingest.documents
            on documents.document_id = coalesce(mentions.document_id, items.subject_id)
        where responses.response_id = any(%(numbers)s::bigint[])
    """,
}


def _shown(
    connection: Connection, query: str, ranked: Sequence[Mapping[str, Any]]
) -> Sequence[Hit]:
    """The details of the rows that are shown, in their order."""
    details = {
        (kind, row["number"]): row
        for kind in (DOCUMENTS, ANSWERS)
        if (numbers := [one["number"] for one in ranked if one["kind"] == kind])
        for row in connection.execute(
            _DETAILS[kind],
            {
                "query": query,
                "numbers": numbers,
                "options": _OPTIONS,
                "characters": _SHOWN_CHARACTERS,
                "marks": BEGIN + END,
            },
        )
    }
    return [
        Hit(
            kind=row["kind"],
            number=row["number"],
            rank=row["rank"],
            title=found["title"],
            subjects=tuple(found["subjects"]),
            written_at=found["written_at"],
            excerpt=found["excerpt"],
        )
        for row in ranked
        if (found := details.get((row["kind"], row["number"])))
    ]
