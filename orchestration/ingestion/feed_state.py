"""What is kept of feeds: when each source is due, and which entries of it were published."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from orchestration.ingestion.message import Document
from orchestration.resources.postgres import Connection
from orchestration.resources.web import Validators


@dataclass(frozen=True)
class FeedState:
    """How a source stands since its last poll."""

    source: str
    url: str
    etag: str | None
    last_modified: str | None
    polled_at: datetime
    next_poll_at: datetime
    failures: int
    last_error: str | None

    def validators(self, url: str) -> Validators:
        """What to ask this address with: another address than last time is asked anew."""
        return Validators(self.etag, self.last_modified) if url == self.url else Validators()


@dataclass(frozen=True)
class KnownEntry:
    """The newest version of an entry that was published."""

    version: int
    content_sha256: bytes


@contextmanager
def polling_alone(connection: Connection) -> Iterator[None]:
    """Polls take turns, so that two never choose the same version for different edits."""
    connection.execute("select pg_advisory_lock(hashtext('ingest.feeds'))")
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(hashtext('ingest.feeds'))")


def load_states(connection: Connection) -> Mapping[str, FeedState]:
    """How the sources stand that were ever polled, by name."""
    rows = connection.execute(
        "select source, url, etag, last_modified, polled_at, next_poll_at, failures, last_error"
        " from ingest.feeds"
    )
    return {row["source"]: FeedState(**row) for row in rows}


def load_entries(
    connection: Connection, source: str, external_ids: Sequence[str]
) -> Mapping[str, KnownEntry]:
    """Which of these entries were published, by id."""
    rows = connection.execute(
        "select external_id, version, content_sha256 from ingest.feed_entries"
        " where source = %s and external_id = any(%s)",
        [source, list(external_ids)],
    )
    return {row["external_id"]: KnownEntry(row["version"], row["content_sha256"]) for row in rows}


def record(connection: Connection, state: FeedState, published: Sequence[Document] = ()) -> None:
    """Keep how a source stands and what of it was published, in one transaction."""
    with connection.transaction():
        connection.execute(
            """
            insert into ingest.feeds (
                source, url, etag, last_modified, polled_at, next_poll_at, failures, last_error
            ) values (
                %(source)s, %(url)s, %(etag)s, %(last_modified)s, %(polled_at)s,
                %(next_poll_at)s, %(failures)s, %(last_error)s
            )
            on conflict (source) do update set
                url = excluded.url,
                etag = excluded.etag,
                last_modified = excluded.last_modified,
                polled_at = excluded.polled_at,
                next_poll_at = excluded.next_poll_at,
                failures = excluded.failures,
                last_error = excluded.last_error
            """,
            vars(state),
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                """
                insert into ingest.feed_entries (
                    source, external_id, version, content_sha256, published_at
                ) values (%s, %s, %s, %s, %s)
                on conflict (source, external_id) do update set
                    version = excluded.version,
                    content_sha256 = excluded.content_sha256,
                    published_at = excluded.published_at
                """,
                [
                    (state.source, d.identity, d.version, d.content_sha256, state.polled_at)
                    for d in published
                ],
            )
