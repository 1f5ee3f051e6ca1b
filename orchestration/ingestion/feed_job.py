"""Feeds in Dagster: the job that polls what is due, and the schedule that asks for it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from orchestration.errors import FeedError
from orchestration.ingestion.assets import UNFINISHED
from orchestration.ingestion.feed_sources import read_sources
from orchestration.ingestion.feed_state import load_states
from orchestration.ingestion.feeds import (
    Poller,
    SourceResult,
    due,
    enabled,
    require_one_success,
)
from orchestration.job_names import POLL_FEEDS
from orchestration.resources.dagster import Postgres, Pubsub
from orchestration.settings import IngestSettings


@dg.op(
    description="Reads each feed that is due, publishes what is new or changed in it, and then "
    "records that.",
)
def poll_due_feeds(context: dg.OpExecutionContext, postgres: Postgres, pubsub: Pubsub) -> None:
    """One line in the log and one entry of metadata for each source."""
    settings = IngestSettings.load()
    sources = read_sources(settings.feeds_yaml)
    with pubsub.open() as broker, postgres.connect(f"poll_feeds {context.run_id}") as connection:
        broker.require_topic()
        results = Poller(connection, broker, settings, datetime.now(UTC)).poll(sources)
    _report(context, results)
    try:
        require_one_success(results)
    except FeedError as error:
        raise dg.Failure(str(error)) from None


@dg.job(
    name=POLL_FEEDS,
    description="Publishes what is new in the news feeds that are due (INGEST_FEEDS_YAML).",
)
def poll_feeds() -> None:
    """The job of the schedule below."""
    poll_due_feeds()


@dg.schedule(
    job=poll_feeds,
    cron_schedule="*/5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Requests poll_feeds when a source is due; each has an interval of its own.",
)
def feeds_schedule(
    context: dg.ScheduleEvaluationContext, postgres: Postgres
) -> dg.RunRequest | dg.SkipReason:
    """A run when a source is due, else why there is none."""
    settings = IngestSettings.load()
    sources = enabled(read_sources(settings.feeds_yaml))
    if not sources:
        return dg.SkipReason(f"no source is enabled in {settings.feeds_yaml}")
    if context.instance.get_runs(dg.RunsFilter(job_name=POLL_FEEDS, statuses=UNFINISHED), limit=1):
        return dg.SkipReason("a poll is queued or under way")
    with postgres.connect("feeds_schedule") as connection:
        states = load_states(connection)
    waiting = due(sources, states, datetime.now(UTC))
    if not waiting:
        following = min(states[source.name].next_poll_at for source in sources).astimezone(UTC)
        return dg.SkipReason(f"no source is due before {following:%Y-%m-%d %H:%M} UTC")
    context.log.info("due: %s", ", ".join(source.name for source in waiting))
    return dg.RunRequest()


def _report(context: dg.OpExecutionContext, results: Sequence[SourceResult]) -> None:
    for result in results:
        log = context.log.error if result.error else context.log.info
        log(result.sentence())
        for place, rejected in result.refused:
            context.log.warning(f"{place}: {rejected.reason}: {rejected.detail}")
    context.add_output_metadata(
        {result.source: dg.MetadataValue.json(result.summary()) for result in results}
    )
