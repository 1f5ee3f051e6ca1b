"""Dead letters in Dagster: the asset, the sensor that exchanges them with the dead-letter topic,
and the job by which a person tries some again or lets them go.
"""

from collections import Counter
from datetime import datetime
from enum import Enum

import dagster as dg
from pydantic import Field

from orchestration.errors import UsageError
from orchestration.ingestion import dead_letter_topic
from orchestration.ingestion import dead_letters as letters
from orchestration.ingestion.assets import TOPIC
from orchestration.job_names import HANDLE_DEAD_LETTERS
from orchestration.resources.dagster import Postgres, Pubsub

DEAD_LETTERS = dg.AssetKey("dead_letters")
_DRAIN_SECONDS = 10.0

dead_letters = dg.AssetSpec(
    DEAD_LETTERS,
    deps=[TOPIC],
    group_name="ingestion",
    kinds={"pubsub", "postgres"},
    description="risk.dead_letters: messages that were refused, and documents whose work failed "
    "for good. Shown by `supplier-risk dead-letters list`; tried again by the job "
    f"{HANDLE_DEAD_LETTERS}.",
)


class Action(Enum):
    """What is to be done with the dead letters that are meant."""

    REDRIVE = "redrive"
    DROP = "drop"


class WhichDeadLetters(dg.Config):
    """The open dead letters that every given part agrees to; times are ISO 8601, of the death."""

    action: Action
    ids: list[str] = Field(default=[])
    reason: str | None = None
    supplier: str | None = None
    batch: str | None = None
    since: str | None = None
    before: str | None = None

    def wanted(self) -> letters.Filter:
        """The same as a filter. Raises UsageError when it names nothing, or a time that is none."""
        wanted = letters.Filter(
            ids=tuple(self.ids),
            reason=self.reason,
            supplier=self.supplier,
            batch=self.batch,
            since=moment(self.since),
            before=moment(self.before),
        )
        if wanted.is_empty:
            raise UsageError(
                "Say which dead letters are meant: ids, reason, supplier, batch, since or before."
            )
        return wanted


@dg.op(description="Tries dead letters again (redrive), or lets them go (drop).")
def handle(
    context: dg.OpExecutionContext, config: WhichDeadLetters, postgres: Postgres, pubsub: Pubsub
) -> None:
    """Act on what the filter finds, and say on how many."""
    with postgres.connect(HANDLE_DEAD_LETTERS) as connection, pubsub.open() as broker:
        found = letters.find(connection, config.wanted())
        ids = [row["dead_letter_id"] for row in found]
        if config.action is Action.REDRIVE:
            done = letters.redrive(connection, broker, ids)
        else:
            done = letters.drop(connection, ids)
    context.add_output_metadata({"found": len(ids), config.action.value: done})
    context.log.info("%s of %s dead letters: %s", done, len(ids), config.action.value)


@dg.job(
    name=HANDLE_DEAD_LETTERS,
    description="Tries dead letters again, or lets them go: by id, reason, supplier, batch or "
    "time. Start it from the launchpad.",
)
def handle_dead_letters() -> None:
    """One op; the config says which and what."""
    handle()


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Publishes documents that are dead to the dead-letter topic, and takes in what "
    "Pub/Sub itself gave up on.",
)
def dead_letter_sensor(postgres: Postgres, pubsub: Pubsub) -> dg.SensorResult:
    """Both ways, then say what happened."""
    with postgres.connect("dead_letter_sensor") as connection, pubsub.open_dead_letters() as broker:
        published = dead_letter_topic.publish_dead(connection, broker)
        counts = dead_letter_topic.drain(broker, connection, _DRAIN_SECONDS)
    counts = +(counts + Counter(published=published))
    events = []
    if counts - Counter(ours=counts["ours"]):
        events = [dg.AssetMaterialization(DEAD_LETTERS, metadata={**counts})]
    summary = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    return dg.SensorResult(asset_events=events, skip_reason=summary or "no dead letters")


def moment(text: str | None) -> datetime | None:
    """A time in a launchpad's config. Raises UsageError unless it is ISO 8601 with a time zone."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"{text!r} is not a time in ISO 8601, such as 2026-02-04T12:00Z") from None
    if found is not None and found.tzinfo is None:
        raise UsageError(f"{text!r} lacks a time zone: write 2026-02-04T12:00Z for UTC")
    return found
