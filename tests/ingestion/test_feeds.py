"""Polling a local web server: published through the emulator, recorded and landed in PostgreSQL."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from orchestration.errors import BrokerError
from orchestration.ingestion.feed_sources import FeedSource
from orchestration.ingestion.feed_state import load_states
from orchestration.ingestion.feeds import Poller, SourceResult
from orchestration.ingestion.landing import land_from
from orchestration.resources.postgres import Connection
from orchestration.resources.pubsub import GooglePubsub
from orchestration.settings import IngestSettings, PostgresSettings, PubsubSettings
from tests.ingestion.feed_server import Answer, FeedServer, item, rss, serving
from tests.migrations.test_roles import connect_as

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with serving() as server:
        yield server


class World:
    """One source at /feed.xml, and a clock that a test turns."""

    def __init__(self, connection: Connection, broker: GooglePubsub, server: FeedServer) -> None:
        self.connection, self.broker, self.server = connection, broker, server
        self.now = NOW
        self.settings = IngestSettings(feeds_timeout_seconds=5, feeds_max_bytes=100_000)

    def source(self, name: str = "wire", path: str = "/feed.xml") -> FeedSource:
        return FeedSource(name=name, url=self.server.url(path), interval_minutes=60)

    def serve(self, *items: str, path: str = "/feed.xml", **headers: str) -> None:
        self.server.answers[path] = Answer(rss(*items), headers=headers)

    def poll(self, *sources: FeedSource, only_due: bool = True) -> list[SourceResult]:
        poller = Poller(self.connection, self.broker, self.settings, self.now)
        return poller.poll(sources or [self.source()], only_due=only_due)

    def poll_one(self) -> SourceResult:
        (result,) = self.poll(only_due=False)
        return result

    def land(self) -> dict[str, int]:
        return dict(land_from(self.broker, self.connection, 5, 1_000_000))

    def documents(self) -> list[tuple[str, str, bool]]:
        rows = self.connection.execute(
            "select external_id, body, superseded_by is null as is_current"
            " from ingest.documents order by external_id, version"
        )
        return [(row["external_id"], row["body"], row["is_current"]) for row in rows]


@pytest.fixture
def world(connection: Connection, broker: GooglePubsub, server: FeedServer) -> World:
    return World(connection, broker, server)


def test_new_entries_are_published_and_land_with_all_that_the_feed_says(world: World) -> None:
    world.serve(item("a", "<p>Siemens <b>recalls</b> valves.</p><script>x</script>"))
    source = FeedSource(
        name="wire", url=world.server.url("/feed.xml"), publisher="wire.com", language="en"
    )
    (result,) = world.poll(source)
    assert (result.outcome, result.new, result.refused, result.trouble) == ("fetched", 1, [], None)
    assert world.land() == {"document": 1}
    row = world.connection.execute("select * from ingest.documents").fetchone()
    assert row is not None
    assert {name: row[name] for name in ("source", "external_id", "title", "url")} == {
        "source": "wire",
        "external_id": "a",
        "title": "About a",
        "url": "https://news.example.com/a",
    }
    assert row["body"].split() == ["Siemens", "recalls", "valves."]
    assert (row["publisher"], row["language"]) == ("wire.com", "en")
    assert row["published_at"] == datetime(2026, 2, 3, 8, tzinfo=UTC)
    batch = world.connection.execute("select batch_id from ingest.messages").fetchone()
    assert batch is not None
    assert batch["batch_id"].startswith("feeds-")


def test_the_poller_says_who_it_is_and_nothing_else(world: World) -> None:
    world.serve(item("a", "Fire."))
    world.poll()
    ((_, headers),) = world.server.asked
    assert headers["User-Agent"] == "supplier-risk (feed reader)"
    assert {"cookie", "authorization"} & {name.lower() for name in headers} == set()


def test_the_feeds_of_one_host_are_asked_one_after_the_other(world: World) -> None:
    paths = [f"/{n}.xml" for n in range(12)]
    for path in paths:
        world.serve(path=path)
    results = world.poll(*[world.source(path, path) for path in paths])
    assert [result.outcome for result in results] == ["fetched"] * 12
    assert [path for path, _ in world.server.asked] == paths
    assert world.server.most_at_once == 1


def test_an_entry_that_was_seen_is_not_published_again_and_a_new_one_is(world: World) -> None:
    world.serve(item("a", "Fire."))
    assert world.poll_one().new == 1
    world.serve(item("b", "Flood."), item("a", "Fire.", date="Wed, 04 Feb 2026 08:00:00 GMT"))
    result = world.poll_one()
    assert (result.new, result.changed, result.unchanged) == (1, 0, 1)
    assert world.land() == {"document": 2}


def test_a_feed_that_has_not_changed_is_asked_with_its_etag_and_sends_nothing(
    world: World,
) -> None:
    modified = "Tue, 03 Feb 2026 08:00:00 GMT"
    world.serve(item("a", "Fire."), **{"ETag": '"v1"', "Last-Modified": modified})
    world.poll_one()
    for _ in range(2):
        assert world.poll_one().outcome == "not modified"
    for _, headers in world.server.asked[1:]:
        assert (headers["If-None-Match"], headers["If-Modified-Since"]) == ('"v1"', modified)
    assert world.land() == {"document": 1}


def test_another_address_under_the_same_name_is_asked_anew(world: World) -> None:
    world.serve(item("a", "Fire."), ETag='"v1"')
    world.serve(item("b", "Flood."), path="/moved.xml", ETag='"v1"')
    world.poll()
    (result,) = world.poll(world.source(path="/moved.xml"), only_due=False)
    assert (result.outcome, result.new) == ("fetched", 1)


@pytest.mark.parametrize(
    "date", ["Wed, 04 Feb 2026 08:00:00 GMT", "Tue, 03 Feb 2026 08:00:00 GMT", "no date"]
)
def test_an_edited_entry_is_a_newer_version_however_the_feed_dates_it(
    world: World, date: str
) -> None:
    world.serve(item("a", "Fire in Peru."))
    world.poll()
    world.serve(item("a", "Fire in Chile.", date=date))
    result = world.poll_one()
    assert (result.new, result.changed, result.unchanged) == (0, 1, 0)
    assert world.poll_one().unchanged == 1
    assert world.land() == {"document": 2}
    assert world.documents() == [("a", "Fire in Peru.", False), ("a", "Fire in Chile.", True)]


def test_an_edit_that_is_taken_back_is_a_version_too(world: World) -> None:
    for text in ("Fire.", "Flood.", "Fire."):
        world.serve(item("a", text))
        world.poll_one()
    assert world.land() == {"document": 3}
    assert [is_current for _, _, is_current in world.documents()] == [False, False, True]


def test_a_crash_after_publishing_publishes_again_and_landing_recognises_it(
    world: World, database: PostgresSettings
) -> None:
    world.serve(item("a", "Fire."), item("b", "Flood."), ETag='"v1"')
    with connect_as(database, "migrator") as owner:
        owner.execute("revoke insert on ingest.feed_entries from pipeline")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.poll()
        owner.execute("grant insert on ingest.feed_entries to pipeline")
    assert load_states(world.connection) == {}
    assert world.poll()[0].new == 2
    assert world.land() == {"document": 2, "duplicate": 2}


def test_an_edit_between_a_crash_and_the_next_poll_supersedes(
    world: World, database: PostgresSettings
) -> None:
    world.serve(item("a", "Fire in Peru."))
    with connect_as(database, "migrator") as owner:
        owner.execute("revoke insert on ingest.feed_entries from pipeline")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.poll()
        owner.execute("grant insert on ingest.feed_entries to pipeline")
    world.serve(item("a", "Fire in Chile.", date="Wed, 04 Feb 2026 08:00:00 GMT"))
    world.poll()
    assert world.land() == {"document": 2}
    assert world.documents() == [("a", "Fire in Peru.", False), ("a", "Fire in Chile.", True)]


def test_a_broker_that_does_not_take_the_entries_leaves_them_to_the_next_poll(
    world: World, emulator_host: str
) -> None:
    world.serve(item("a", "Fire."), ETag='"v1"')
    nowhere = PubsubSettings(project_id="p", topic="nowhere", emulator_host=emulator_host)
    with (
        GooglePubsub(nowhere) as broker,
        pytest.raises(BrokerError, match="did not take the message"),
    ):
        Poller(world.connection, broker, world.settings, NOW).poll([world.source()])
    assert load_states(world.connection) == {}
    assert world.poll()[0].new == 1


def test_what_is_no_document_is_refused_with_its_place_and_the_rest_is_sent(world: World) -> None:
    world.settings = IngestSettings(max_document_bytes=1_000)
    world.serve(item("a", " "), item("b", "x" * 2_000), item("c", "Fire."), item("c", "Again."))
    result = world.poll_one()
    assert result.new == 1
    assert [(place, r.reason) for place, r in result.refused] == [
        ("wire, entry 1", "invalid_field"),
        ("wire, entry 2", "too_large"),
        ("wire, entry 4", "invalid_field"),
    ]
    assert world.land() == {"document": 1}


def test_a_malformed_feed_yields_what_can_be_read_and_says_what_is_wrong(world: World) -> None:
    whole = rss(item("a", "Fire."), item("b", "Flood."))
    world.server.answers["/feed.xml"] = Answer(whole[: whole.index(b"Flood")])
    result = world.poll_one()
    assert (result.outcome, result.new) == ("fetched", 1)
    assert "unclosed token" in str(result.trouble) or "no element" in str(result.trouble)
    assert world.land() == {"document": 1}


def failure(world: World, answer: Answer) -> str:
    """The error of a source that answers so, beside one that is well and goes on."""
    world.server.answers["/bad.xml"] = answer
    world.serve(item("a", "Fire."))
    bad, good = world.poll(world.source("bad", "/bad.xml"), world.source())
    assert (good.outcome, good.new) == ("fetched", 1)
    assert bad.outcome == "failed"
    assert load_states(world.connection)["bad"].last_error == bad.error
    assert world.land() == {"document": 1}
    return str(bad.error)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=404), "answered HTTP 404"),
        (Answer(status=304), "answered HTTP 304"),
        (Answer(rss(item("a", "x" * 100_001))), "larger than 100,000 bytes"),
        (
            Answer(gzip.compress(b"x" * 10_000_000), headers={"Content-Encoding": "gzip"}),
            "larger than 100,000 bytes",
        ),
        (Answer(b"x", headers={"Content-Encoding": "gzip, gzip"}), "not asked for"),
        (Answer(b"not packed", headers={"Content-Encoding": "gzip"}), "DecodingError"),
        (Answer(b"<html><body>Welcome</body></html>"), "neither RSS nor Atom"),
        (Answer(status=302, headers={"Location": "/bad.xml"}), "TooManyRedirects"),
        (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "Unsupported"),
    ],
)
def test_a_source_that_cannot_be_read_is_postponed_alone_and_says_why(
    world: World, answer: Answer, words: str
) -> None:
    assert words in failure(world, answer)


@pytest.mark.parametrize("hangs_after", [0, 10])
def test_a_server_that_hangs_is_given_up_and_holds_up_no_other(
    world: World, hangs_after: int
) -> None:
    world.settings = IngestSettings(feeds_timeout_seconds=2)
    answer = Answer(rss(item("b", "Flood.")), hangs_after=hangs_after)
    assert "did not answer in full within 2 s" in failure(world, answer)


def test_a_packed_feed_is_read(world: World) -> None:
    world.serve(item("a", "Fire."), **{"Content-Encoding": "gzip"})
    answer = world.server.answers["/feed.xml"]
    answer.body = gzip.compress(answer.body)
    assert world.poll_one().new == 1
