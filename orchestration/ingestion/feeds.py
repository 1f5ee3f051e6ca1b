"""Polls news feeds: what is due, what of it is new, and in which order that is made safe.

An entry is published and confirmed before it is recorded. A crash in between publishes it again,
under the same version, which landing recognises; it never loses one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from orchestration.errors import FeedError
from orchestration.ingestion import feed_state
from orchestration.ingestion.feed_reading import Feed, NoFeed, read_feed
from orchestration.ingestion.feed_sources import FeedSource
from orchestration.ingestion.feed_state import FeedState, KnownEntry
from orchestration.ingestion.message import Document, Rejected, validate_document
from orchestration.ingestion.publisher import new_batch_id, publish
from orchestration.ingestion.reading import Record
from orchestration.resources.broker import Broker
from orchestration.resources.postgres import Connection
from orchestration.resources.web import GetFailed, Limits, Page, Validators, Wanted, get_all
from orchestration.settings import IngestSettings

ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"
_AT_ONCE = 8
_SHOWN_FAILURES = 10
_LONGEST_BACKOFF = timedelta(days=1)
# A poll begins seconds after its tick: without this, the tick an interval later would be too early.
_TOLERANCE = timedelta(minutes=1)
Outcome = Literal["fetched", "not modified", "failed"]


@dataclass
class SourceResult:
    """What became of one source. `trouble` is what was wrong with a feed that could be read."""

    source: str
    outcome: Outcome
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[tuple[str, Rejected]] = field(default_factory=list)
    trouble: str | None = None
    error: str | None = None

    def summary(self) -> dict[str, str | int]:
        """For run metadata and tables: counts, and what was wrong where something was."""
        counts = {
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "refused": len(self.refused),
        }
        wrong = {"malformed": self.trouble, "error": self.error}
        return {"outcome": self.outcome, **counts, **{k: v for k, v in wrong.items() if v}}

    def sentence(self) -> str:
        """One line for a log."""
        return f"{self.source}: " + ", ".join(f"{k} {v}" for k, v in self.summary().items())


@dataclass(frozen=True)
class Poller:
    """What a poll needs beside the sources: the doors, the settings and the time."""

    connection: Connection
    broker: Broker
    settings: IngestSettings
    now: datetime

    def poll(self, sources: Sequence[FeedSource], *, only_due: bool = True) -> list[SourceResult]:
        """Poll the enabled sources, or those of them that are due.

        Raises BrokerError; what is wrong with a source stands in its result.
        """
        with feed_state.polling_alone(self.connection):
            states = feed_state.load_states(self.connection)
            wanted = due(sources, states, self.now) if only_due else enabled(sources)
            results: list[SourceResult] = []
            for start in range(0, len(wanted), _AT_ONCE):
                results += self._poll_together(wanted[start : start + _AT_ONCE], states)
        return results

    def _poll_together(
        self, sources: Sequence[FeedSource], states: Mapping[str, FeedState]
    ) -> Iterator[SourceResult]:
        limits = Limits(
            self.settings.feeds_timeout_seconds,
            self.settings.feeds_max_bytes,
            self.settings.feeds_user_agent,
        )
        urls = [source.url for source in sources]
        asked = [
            states[source.name].validators(source.url) if source.name in states else Validators()
            for source in sources
        ]
        wanted = [Wanted(url, ACCEPT, known) for url, known in zip(urls, asked, strict=True)]
        for source, page in zip(sources, get_all(wanted, limits), strict=True):
            yield self._take(source, page, states.get(source.name))

    def _take(
        self, source: FeedSource, page: Page | GetFailed, before: FeedState | None
    ) -> SourceResult:
        if isinstance(page, GetFailed):
            return self._postpone(source, before, page.detail, page.wait)
        if page.body is None:
            feed_state.record(self.connection, self._state(source, page.validators))
            return SourceResult(source.name, "not modified")
        try:
            feed = read_feed(
                source, page.body, page.content_type, self.settings.feeds_timeout_seconds
            )
        except NoFeed as error:
            return self._postpone(source, before, str(error))
        return self._publish(source, feed, page.validators)

    def _publish(self, source: FeedSource, feed: Feed, validators: Validators) -> SourceResult:
        documents = [r.content for r in feed.records if isinstance(r.content, Document)]
        known = feed_state.load_entries(
            self.connection, source.name, [document.identity for document in documents]
        )
        wanted = [record for r in feed.records if (record := _to_publish(r, known)) is not None]
        batch_id = f"feeds-{new_batch_id()}"
        limit = self.settings.max_document_bytes
        published = publish(self.broker, iter(wanted), batch_id, "", limit, lambda: None)
        refused = {place for place, _ in published.refused}
        sent = [
            record.content
            for record in wanted
            if isinstance(record.content, Document) and record.place not in refused
        ]
        feed_state.record(self.connection, self._state(source, validators), sent)
        changed = sum(document.identity in known for document in sent)
        return SourceResult(
            source.name,
            "fetched",
            new=len(sent) - changed,
            changed=changed,
            unchanged=len(feed.records) - len(wanted),
            refused=published.refused,
            trouble=feed.trouble,
        )

    def _postpone(
        self,
        source: FeedSource,
        before: FeedState | None,
        error: str,
        wait: timedelta | None = None,
    ) -> SourceResult:
        """After each failure in a row twice as long, up to a day; longer if the server says so."""
        failures = before.failures + 1 if before else 1
        interval = timedelta(minutes=source.interval_minutes)
        backoff = max(interval, min(interval * 2 ** min(failures - 1, 10), _LONGEST_BACKOFF))
        validators = before.validators(source.url) if before else Validators()
        state = self._state(source, validators, max(backoff - _TOLERANCE, wait or timedelta()))
        feed_state.record(self.connection, replace(state, failures=failures, last_error=error))
        return SourceResult(source.name, "failed", error=error)

    def _state(
        self, source: FeedSource, validators: Validators, pause: timedelta | None = None
    ) -> FeedState:
        pause = pause or timedelta(minutes=source.interval_minutes) - _TOLERANCE
        return FeedState(
            source=source.name,
            url=source.url,
            etag=validators.etag,
            last_modified=validators.last_modified,
            polled_at=self.now,
            next_poll_at=self.now + pause,
            failures=0,
            last_error=None,
        )


def enabled(sources: Sequence[FeedSource]) -> list[FeedSource]:
    """The sources that may be polled at all."""
    return [source for source in sources if source.enabled]


def due(
    sources: Sequence[FeedSource], states: Mapping[str, FeedState], now: datetime
) -> list[FeedSource]:
    """The enabled sources whose time has come, and those that were never polled."""
    return [
        source
        for source in enabled(sources)
        if source.name not in states or states[source.name].next_poll_at <= now
    ]


def require_one_success(results: Sequence[SourceResult]) -> None:
    """Raises FeedError when there was something to poll and all of it failed."""
    failures = [f"{r.source} {r.error}" for r in results if r.outcome == "failed"]
    if failures and len(failures) == len(results):
        raise FeedError(
            f"None of the {len(failures):,} feeds that were polled could be read: "
            + "; ".join(failures[:_SHOWN_FAILURES])
            + ". What to do: check the addresses in the file of INGEST_FEEDS_YAML and the way to "
            "the network; each is tried again later, `supplier-risk feeds list` says when."
        )


def _to_publish(record: Record, known: Mapping[str, KnownEntry]) -> Record | None:
    """The record as it is to be sent; None for an entry that was sent as it is.

    A changed entry gets a higher version even where its feed does not date the change.
    """
    if not isinstance(record.content, Document):
        return record
    document, before = record.content, known.get(record.content.identity)
    if before is None:
        return record
    if before.content_sha256 == document.content_sha256:
        return None
    version = max(document.version, before.version + 1)
    try:
        return Record(record.place, validate_document(document.model_dump() | {"version": version}))
    except Rejected as rejected:
        return Record(record.place, rejected)
