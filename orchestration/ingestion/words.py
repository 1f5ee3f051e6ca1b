"""The words of documents and answers, for the search: taken some time after the texts are stored.

A scoring run takes them when new documents were read, and a search takes what is missing still.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from orchestration.resources.postgres import Connection, one

BATCH = 1_000

# What commits late is older than what was taken before it, but not by more than this.
_NEWEST: Mapping[str, LiteralString] = {
    "documents": """
        select coalesce(max(received_at) - interval '1 hour', '0001-01-02 UTC') as since
        from ingest.document_words
    """,
    "answers": """
        select coalesce(max(created_at) - interval '1 hour', '0001-01-02 UTC') as since
        from llm.response_words
    """,
}
# An id before all others.
_FIRST: Mapping[str, Any] = {"documents": UUID(int=0), "answers": 0}
# Of an answer the words, not the names of its fields.
_TAKE: Mapping[str, LiteralString] = {
    "documents": """
        with missing as materialized (
            select document_id from ingest.documents
            where
                (received_at, document_id) > (%(since)s, %(after)s::uuid)
                and not exists (
                    select from ingest.document_words as known
                    where known.document_id = documents.document_id
                )
            order by received_at, document_id
            limit %(batch)s
        )

        insert into ingest.document_words (document_id, received_at, words)
        select
            document_id, received_at,
            setweight(to_tsvector('english', left(title, 1000)), 'A')
            || setweight(to_tsvector('english', left(body, 100000)), 'B')
        from missing
        inner join ingest.documents using (document_id)
        order by received_at, document_id
        on conflict do nothing
        returning received_at as moment, document_id as id
    """,
    "answers": """
        with missing as materialized (
            select response_id from llm.responses
            where
                purged_at is null and answer is not null
                and (created_at, response_id) > (%(since)s, %(after)s)
                and not exists (
                    select from llm.response_words as known
                    where known.response_id = responses.response_id
                )
            order by created_at, response_id
            limit %(batch)s
        )

        insert into llm.response_words (response_id, created_at, words)
        select
            response_id, created_at,
            to_tsvector(
                'english', regexp_replace(left(answer, 100000), '"[a-z_]+":', ' ', 'g')
            )
        from missing
        inner join llm.responses using (response_id)
        order by created_at, response_id
        on conflict do nothing
        returning created_at as moment, response_id as id
    """,
}


def take_words(connection: Connection, most: int | None = None) -> bool:
    """Take the words of texts that have none yet, the oldest first, of each kind at most so many.
    Whether that was all."""
    ends = [_take(connection, kind, most) for kind in _TAKE]
    return all(ends)


def _take(connection: Connection, kind: str, most: int | None) -> bool:
    """In the order of arrival, from the end of the last batch on: many may have come at once."""
    end: tuple[datetime, Any] = (one(connection, _NEWEST[kind])["since"], _FIRST[kind])
    taken = 0
    while most is None or taken < most:
        batch = BATCH if most is None else min(BATCH, most - taken)
        values = {"since": end[0], "after": end[1], "batch": batch}
        # planned anew each time: a plan from when there were few words would read all of them
        rows = connection.execute(_TAKE[kind], values, prepare=False).fetchall()
        if len(rows) < batch:
            return True
        taken += len(rows)
        end = max((row["moment"], row["id"]) for row in rows)
    return False
