"""The SQL of the mentions step: loads documents, writes mentions, candidates and the work that
follows. Rows are only added.
"""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import DictRow

from orchestration.ingestion import work_items
from orchestration.ingestion.work_items import USUAL_PRIORITY, Item
from orchestration.resources.postgres import Connection
from orchestration.scoring import briefs
from orchestration.scoring.mention_rule import Mention
from orchestration.scoring.relevance import Candidate
from orchestration.scoring.taxonomy import Urgency


def load_documents(connection: Connection, items: Sequence[Item]) -> dict[UUID, DictRow]:
    """What there is to read, by document id."""
    rows = connection.execute(
        "select document_id, version, title, body, language, supplier_hints,"
        " coalesce(original_published_at, published_at) as dated_at,"
        " superseded_by is not null or duplicate_of is not null as is_outdated"
        " from ingest.documents where document_id = any(%s)",
        [[item.subject_id for item in items]],
    )
    return {row["document_id"]: row for row in rows}


def write_mentions(
    connection: Connection, document_id: UUID, mentions: Sequence[Mention], generation_id: int
) -> int:
    """Keep them and queue the findings of each, the urgent ones first; returns how many mentions
    the document has now, those of an earlier reading included."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into risk.pairs (supplier_id, country) values (%s, %s)"
            " on conflict (supplier_id, country) do nothing",
            sorted((mention.supplier_id, mention.country) for mention in mentions),
        )
        cursor.executemany(
            """
            insert into risk.mentions (
                document_id, supplier_id, country, found_by, country_source, matched_text,
                relevance, urgency, response_id
            ) values (
                %(document_id)s, %(supplier_id)s, %(country)s, %(found_by)s, %(country_source)s,
                %(matched_text)s, %(relevance)s, %(urgency)s, %(response_id)s
            )
            on conflict (document_id, supplier_id, country) do nothing
            """,
            [{"document_id": document_id, **vars(mention)} for mention in mentions],
        )
    rows = connection.execute(
        "select mention_id, urgency from risk.mentions where document_id = %s", [document_id]
    ).fetchall()
    work_items.enqueue(
        connection,
        "mention",
        [row["mention_id"] for row in rows],
        "findings",
        generation_id,
        [Urgency(row["urgency"]).priority if row["urgency"] else USUAL_PRIORITY for row in rows],
    )
    return len(rows)


def write_candidates(
    connection: Connection,
    document_id: UUID,
    candidates: Sequence[Candidate],
    response_id: int | None,
) -> None:
    """Keep the companies that a document names as affected and the master lacks."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into risk.supplier_candidates (
                document_id, normalised_name, name, country, response_id
            ) values (%s, %s, %s, %s, %s)
            on conflict (document_id, normalised_name) do nothing
            """,
            [
                (document_id, one.normalised_name, one.name, one.country, response_id)
                for one in candidates
            ],
        )


def renew_briefs(connection: Connection, document_ids: Sequence[UUID], generation_id: int) -> None:
    """The briefs of what older versions of these documents mentioned cite what is withdrawn.

    Whatever these say themselves, or nobody can read: their arrival alone makes those old.
    """
    rows = connection.execute(
        """
        select distinct pairs.pair_id
        from ingest.documents as newer
        inner join ingest.documents as older using (source, external_id)
        inner join risk.mentions on mentions.document_id = older.document_id
        inner join risk.pairs using (supplier_id, country)
        where newer.document_id = any(%s) and newer.version > older.version
        """,
        [list(document_ids)],
    )
    briefs.renew(connection, [row["pair_id"] for row in rows], generation_id)


def observed_partition_keys(connection: Connection) -> list[str]:
    """The key of every pair that a document was found to mention, the oldest first."""
    rows = connection.execute(
        "select partition_key from risk.pairs order by first_seen_at, partition_key"
    )
    return [row["partition_key"] for row in rows]
