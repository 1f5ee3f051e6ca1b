"""When a source is due: intervals, what servers ask for, and longer waits after failures."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from orchestration.errors import FeedError
from orchestration.ingestion.feed_sources import FeedSource
from orchestration.ingestion.feed_state import FeedState, load_states
from orchestration.ingestion.feeds import Poller, SourceResult, require_one_success
from orchestration.resources.postgres import Connection
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import IngestSettings
from tests.ingestion.feed_server import Answer, FeedServer, item, rss, serving

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with serving() as server:
        server.answers["/good.xml"] = Answer(rss(item("a", "Fire.")))
        yield server


@pytest.fixture
def polled_at(connection: Connection, broker: GooglePubsub, server: FeedServer) -> "Polled":
    return Polled(connection, broker, server)


class Polled:
    """Polls one source at a path at a moment; its interval is an hour."""

    def __init__(self, connection: Connection, broker: GooglePubsub, server: FeedServer) -> None:
        self.connection, self.broker, self.server = connection, broker, server

    def __call__(
        self, now: datetime, path: str = "/good.xml", *, only_due: bool = True
    ) -> list[SourceResult]:
        source = FeedSource(name="wire", url=self.server.url(path))
        disabled = FeedSource(name="off", url=self.server.url("/off.xml"), enabled=False)
        poller = Poller(self.connection, self.broker, IngestSettings(), now)
        return poller.poll([source, disabled], only_due=only_due)

    def state(self) -> FeedState:
        return load_states(self.connection)["wire"]


def test_a_source_is_due_once_in_its_interval_and_a_disabled_one_never(polled_at: Polled) -> None:
    assert [r.outcome for r in polled_at(NOW)] == ["fetched"]
    assert polled_at(NOW + 58 * MINUTE) == []
    assert len(polled_at(NOW + 59 * MINUTE)) == 1
    assert [path for path, _ in polled_at.server.asked] == ["/good.xml", "/good.xml"]


def test_all_means_also_what_is_not_due(polled_at: Polled) -> None:
    polled_at(NOW)
    assert len(polled_at(NOW, only_due=False)) == 1


def test_each_failure_in_a_row_doubles_the_wait_up_to_a_day_and_a_success_ends_it(
    polled_at: Polled,
) -> None:
    now, waits = NOW, []
    for _ in range(7):
        polled_at(now, "/missing.xml")
        waits.append((polled_at.state().next_poll_at - now + MINUTE) / timedelta(hours=1))
        now = polled_at.state().next_poll_at
    assert waits == [1, 2, 4, 8, 16, 24, 24]
    assert polled_at.state().failures == 7
    polled_at(now)
    assert (polled_at.state().failures, polled_at.state().last_error) == (0, None)
    assert polled_at.state().next_poll_at == now + 59 * MINUTE


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "hours"),
    [("36000", 10), ("60", 1), ("9" * 400, 168), ("soon", 1), ("-5", 1)],
)
def test_a_server_that_asks_for_it_is_left_alone_for_longer_but_not_for_ever(
    polled_at: Polled, status: int, retry_after: str, hours: int
) -> None:
    headers = {"Retry-After": retry_after}
    polled_at.server.answers["/busy.xml"] = Answer(status=status, headers=headers)
    (result,) = polled_at(NOW, "/busy.xml")
    assert result.error == f"answered HTTP {status}"
    wait = polled_at.state().next_poll_at - NOW
    assert timedelta(hours=hours) - MINUTE <= wait <= timedelta(hours=hours)


def test_a_date_in_retry_after_is_kept_to(polled_at: Polled) -> None:
    now = datetime.now(UTC)
    until = format_datetime(now + timedelta(hours=5), usegmt=True)
    polled_at.server.answers["/busy.xml"] = Answer(status=503, headers={"Retry-After": until})
    polled_at(now, "/busy.xml")
    wait = polled_at.state().next_poll_at - now
    assert abs(wait - timedelta(hours=5)) < MINUTE


def test_a_poll_fails_only_when_all_of_it_failed() -> None:
    bad = SourceResult("bad", "failed", error="answered HTTP 404")
    require_one_success([])
    require_one_success([bad, SourceResult("good", "not modified")])
    with pytest.raises(FeedError, match=r"None of the 1 feeds.*bad answered HTTP 404.*list"):
        require_one_success([bad])
