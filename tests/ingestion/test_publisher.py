"""Publishing through the emulator, and the mapping of dates for the demonstration."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import BrokerError
from orchestration.ingestion.message import Document, Rejected, parse_document
from orchestration.ingestion.publisher import publish, redate
from orchestration.ingestion.reading import Record
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import PubsubSettings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def records(*contents: Document | Rejected) -> list[Record]:
    return [Record(f"file, line {n}", content) for n, content in enumerate(contents, start=1)]


def test_valid_records_arrive_with_batch_and_order_and_the_rest_is_reported(
    broker: GooglePubsub,
) -> None:
    wrong = Rejected("not_json", "not JSON")
    large = Document(text="x" * 2_000)
    given_records = records(Document(text="one"), wrong, Document(text="two"), large)
    steps: list[int] = []
    done = publish(broker, iter(given_records), "b1", "key", 1_000, lambda: steps.append(1))
    assert (done.sent, len(steps)) == (2, 4)
    assert [(place, r.reason) for place, r in done.refused] == [
        ("file, line 2", "not_json"),
        ("file, line 4", "too_large"),
    ]
    pulled = broker.pull(10, timeout=5)
    assert [parse_document(m.data, 10_000).text for m in pulled] == ["one", "two"]
    assert {m.attributes["batch_id"] for m in pulled} == {"b1"}
    assert {m.ordering_key for m in pulled} == {"key"}


def test_an_unreachable_broker_is_named_with_what_to_do() -> None:
    settings = PubsubSettings(project_id="p", emulator_host="127.0.0.1:1")
    with (
        GooglePubsub(settings) as broker,
        pytest.raises(BrokerError, match="PUBSUB_EMULATOR_HOST"),
    ):
        broker.pull(1, timeout=2)


def test_a_missing_subscription_is_named_with_what_to_do(broker: GooglePubsub) -> None:
    host = broker._settings.emulator_host
    settings = PubsubSettings(project_id="elsewhere", emulator_host=host)
    with (
        GooglePubsub(settings) as other,
        pytest.raises(BrokerError, match="projects/elsewhere/subscriptions/supplier-news-ingest"),
    ):
        other.pull(1, timeout=2)


@given(
    st.lists(
        st.none() | st.dates(date(2006, 1, 1), date(2026, 1, 1)).map(midnight),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 400),
)
def test_redating_keeps_the_order_fits_the_window_and_remembers_the_original(
    dates: list[datetime | None], days: int
) -> None:
    given_records = records(
        *[Document(text=str(n), published_at=day) for n, day in enumerate(dates)]
    )
    moved = [record.content for record in redate(given_records, days, NOW)]
    dated = []
    for document, day in zip(moved, dates, strict=True):
        assert isinstance(document, Document)
        assert document.original_published_at == day
        assert (document.published_at is None) == (day is None)
        if document.published_at is not None and day is not None:
            assert NOW - timedelta(days=days) <= document.published_at <= NOW
            dated.append((day, document.published_at))
    dated.sort()
    assert [new for _, new in dated] == sorted(new for _, new in dated)


def test_redating_does_not_change_what_the_document_is() -> None:
    document = Document(text="x", published_at=datetime(2010, 1, 1, tzinfo=UTC))
    (moved,) = redate(records(document), 30, NOW)
    assert isinstance(moved.content, Document)
    assert moved.content.content_sha256 == document.content_sha256
