"""Feeds in Dagster and on the command line: why no run is requested, and what a run says."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.ingestion.feed_job import feeds_schedule, poll_feeds
from orchestration.job_names import POLL_FEEDS
from orchestration.resources.dagster import Postgres, Pubsub
from orchestration.resources.postgres import Connection
from orchestration.resources.pubsub import GooglePubsub
from tests.ingestion.feed_server import Answer, FeedServer, item, rss, serving
from tests.test_cli import supplier_risk

RESOURCES = {"postgres": Postgres(), "pubsub": Pubsub()}
pytestmark = pytest.mark.usefixtures("broker", "connection")


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with serving() as server:
        server.answers["/good.xml"] = Answer(rss(item("a", "Fire."), item("b", " ")))
        yield server


@pytest.fixture
def yaml_of_feeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "feeds.yaml"
    monkeypatch.setenv("INGEST_FEEDS_YAML", str(path))
    return path


def listed(path: Path, server: FeedServer, *names: str, enabled: bool = True) -> None:
    path.write_text(
        yaml.safe_dump(
            [
                {"name": name, "url": server.url(f"/{name}.xml"), "enabled": enabled}
                for name in names
            ]
        )
    )


def tick(status: dg.DagsterRunStatus | None = None) -> dg.RunRequest | dg.SkipReason:
    """What the schedule says, if need be while a poll has this status."""
    with dg.instance_for_test() as instance:
        if status:
            instance.add_run(dg.DagsterRun(job_name=POLL_FEEDS, status=status))
        result = feeds_schedule(dg.build_schedule_context(instance), postgres=Postgres())
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def test_without_an_enabled_source_the_schedule_skips_and_names_the_file(
    server: FeedServer, yaml_of_feeds: Path
) -> None:
    listed(yaml_of_feeds, server, "good", enabled=False)
    result = tick()
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message == f"no source is enabled in {yaml_of_feeds}"


def test_a_due_source_is_a_run_and_after_it_the_schedule_says_when_the_next_is_due(
    server: FeedServer, yaml_of_feeds: Path
) -> None:
    listed(yaml_of_feeds, server, "good")
    assert isinstance(tick(), dg.RunRequest)
    assert poll_feeds.execute_in_process(resources=RESOURCES).success
    result = tick()
    assert isinstance(result, dg.SkipReason)
    assert "no source is due before 20" in str(result.skip_message)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_a_poll_is_queued_or_under_way_no_other_is_requested(
    server: FeedServer, yaml_of_feeds: Path, status: dg.DagsterRunStatus
) -> None:
    listed(yaml_of_feeds, server, "good")
    result = tick(status)
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message == "a poll is queued or under way"


def test_a_run_says_for_each_source_what_became_of_it(
    server: FeedServer, yaml_of_feeds: Path, broker: GooglePubsub
) -> None:
    listed(yaml_of_feeds, server, "good", "missing")
    done = poll_feeds.execute_in_process(resources=RESOURCES)
    (output,) = done.filter_events(lambda event: event.is_successful_output)
    metadata = output.step_output_data.metadata
    counts = {"new": 1, "changed": 0, "unchanged": 0, "refused": 1}
    nothing = dict.fromkeys(counts, 0)
    assert {name: value.value for name, value in metadata.items()} == {
        "good": {"outcome": "fetched", **counts},
        "missing": {"outcome": "failed", **nothing, "error": "answered HTTP 404"},
    }
    assert len(broker.pull(10, timeout=5)) == 1


def test_a_run_whose_sources_all_failed_is_a_failure_with_a_sentence(
    server: FeedServer, yaml_of_feeds: Path
) -> None:
    listed(yaml_of_feeds, server, "missing", "gone")
    with pytest.raises(dg.Failure, match=r"None of the 2 feeds.*missing answered HTTP 404"):
        poll_feeds.execute_in_process(resources=RESOURCES)


def test_the_commands_poll_and_list_and_say_what_is_wrong(
    server: FeedServer, yaml_of_feeds: Path, connection: Connection
) -> None:
    listed(yaml_of_feeds, server, "good")
    assert "never" in supplier_risk("feeds", "list").stdout
    done = supplier_risk("feeds", "poll")
    assert done.returncode == 0, done.stderr
    assert "fetched" in done.stdout
    assert "good, entry 2: invalid_field: text is empty" in done.stderr
    assert "No source is enabled and due" in supplier_risk("feeds", "poll").stdout
    assert "fetched" in supplier_risk("feeds", "poll", "--all").stdout
    del server.answers["/good.xml"]
    failed = supplier_risk("feeds", "poll", "--all")
    assert failed.returncode == 1
    assert "None of the 1 feeds that were polled could be read" in failed.stderr
    assert "answered HTTP 404 (1 in a row)" in supplier_risk("feeds", "list").stdout


def test_a_wrong_list_of_feeds_is_a_sentence_and_exit_code_2(yaml_of_feeds: Path) -> None:
    yaml_of_feeds.write_text("- {name: a, url: 'ftp://h'}")
    done = supplier_risk("feeds", "list")
    assert done.returncode == 2
    assert "entry 1.url: must be an http or https address" in " ".join(done.stderr.split())
