"""Ingestion in Dagster: the topic, the landed documents, and the sensor that lands them."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.errors import BrokerError
from orchestration.ingestion import budget, changed_pairs, circuit, work_items
from orchestration.ingestion import suppliers as supplier_master
from orchestration.ingestion.landing import land_from, landed_after
from orchestration.job_names import SCORE_PENDING
from orchestration.resources.dagster import LlmEndpoint, Postgres, Pubsub
from orchestration.settings import IngestSettings

TOPIC = dg.AssetKey("supplier_news_topic")
DOCUMENTS = dg.AssetKey("documents")
SUPPLIERS = dg.AssetKey("suppliers")
_REST_AFTER_FAILURE = timedelta(seconds=60)
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

topic = dg.AssetSpec(
    TOPIC,
    group_name="ingestion",
    kinds={"pubsub"},
    description="The Pub/Sub topic that publishers send supplier news to.",
)
documents = dg.AssetSpec(
    DOCUMENTS,
    deps=[TOPIC],
    group_name="ingestion",
    kinds={"postgres"},
    description="ingest.documents: every message that was pulled, validated, landed and then "
    "acknowledged. supplier_news_sensor reports what it and the streaming workers landed.",
)
suppliers = dg.AssetSpec(
    SUPPLIERS,
    group_name="ingestion",
    kinds={"postgres"},
    description="ingest.suppliers: the supplier master, loaded from CSV with "
    "`supplier-risk suppliers load`. supplier_master_sensor reports when it changed.",
)


@dg.sensor(
    job_name=SCORE_PENDING,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Pulls messages, lands them, acknowledges them after the commit, and requests one "
    "scoring run when work is pending and none is under way.",
)
def supplier_news_sensor(
    context: dg.SensorEvaluationContext, pubsub: Pubsub, postgres: Postgres, llm: LlmEndpoint
) -> dg.SensorResult:
    """Land what waits on the subscription, then see whether a run is wanted."""
    settings = IngestSettings.load()
    with postgres.connect("supplier_news_sensor") as connection, pubsub.open() as broker:
        pulled, trouble = Counter[str](), None
        try:
            if settings.pulled_by == "sensor":
                limit = settings.max_document_bytes
                land_from(broker, connection, settings.tick_seconds, limit, pulled)
        except BrokerError as error:
            context.log.error(str(error))
            trouble = error
        landed, last = landed_after(connection, int(context.cursor or 0))
        is_pending = work_items.has_claimable(connection)
        is_wanted = is_pending or changed_pairs.are_left_behind(connection)
        obstacle: str | None = "nothing is pending"
        if is_wanted:
            obstacle = (
                _under_way(context.instance)
                or circuit.obstacle(connection, llm.settings())
                or budget.obstacle(connection, llm.settings())
            )
    if trouble and not is_wanted:
        raise trouble
    if pulled:
        context.log.info("pulled: %s", _summary(pulled))
    events = [dg.AssetMaterialization(DOCUMENTS, metadata={**landed})] if landed else []
    if obstacle:
        reason = f"landed {_summary(landed)}; {obstacle}" if landed else obstacle
        return dg.SensorResult(asset_events=events, cursor=str(last), skip_reason=reason)
    context.log.info("landed %s; requesting a run", _summary(landed) or "nothing")
    return dg.SensorResult(run_requests=[dg.RunRequest()], asset_events=events, cursor=str(last))


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports a supplier master that was loaded anew, so that the marts are refreshed.",
)
def supplier_master_sensor(
    context: dg.SensorEvaluationContext, postgres: Postgres
) -> dg.SensorResult:
    """Compare with the last tick; the first one only looks."""
    with postgres.connect("supplier_master_sensor") as connection:
        count, change = supplier_master.last_change(connection)
    cursor = str(change)
    if context.cursor in {None, cursor}:
        return dg.SensorResult(cursor=cursor, skip_reason="the master is as it was")
    event = dg.AssetMaterialization(SUPPLIERS, metadata={"suppliers": count})
    return dg.SensorResult(
        asset_events=[event], cursor=cursor, skip_reason=f"the master changed: {count} suppliers"
    )


def _summary(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


def _under_way(instance: dg.DagsterInstance) -> str | None:
    """Why no run should be requested now: one at a time, and a rest after a failure."""
    unfinished = dg.RunsFilter(job_name=SCORE_PENDING, statuses=UNFINISHED)
    if instance.get_runs(unfinished, limit=1):
        return "a scoring run is queued or under way and takes what is pending"
    rested = datetime.now(UTC) - _REST_AFTER_FAILURE
    recent = instance.get_runs(dg.RunsFilter(job_name=SCORE_PENDING, updated_after=rested), limit=1)
    if recent and recent[0].status == dg.DagsterRunStatus.FAILURE:
        return (
            f"the last scoring run failed; the next follows {_REST_AFTER_FAILURE.seconds} s later"
        )
    return None
