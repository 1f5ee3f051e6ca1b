"""Assembles the code location. Decides nothing: each room brings its own assets, jobs, sensors."""

import dagster as dg

from orchestration import job_names
from orchestration.history import jobs as history
from orchestration.history import retention_job
from orchestration.ingestion import assets as ingestion
from orchestration.ingestion import dead_letter_jobs as dead_letters
from orchestration.ingestion import feed_job
from orchestration.publishing import alerts_jobs as alerts
from orchestration.publishing import assets as publishing
from orchestration.resources.dagster import LlmEndpoint, Postgres, Pubsub, SupersetDoor
from orchestration.scoring import assets as scoring
from orchestration.transformation import assets as transformation


def build_definitions() -> dg.Definitions:
    """Everything that Dagster knows of this project."""
    definitions = dg.Definitions(
        assets=[
            ingestion.topic,
            ingestion.documents,
            ingestion.suppliers,
            dead_letters.dead_letters,
            scoring.supplier_mentions,
            scoring.risk_findings_and_briefs,
            transformation.dbt_models,
            publishing.dashboards,
        ],
        jobs=[
            scoring.score_pending,
            transformation.refresh_marts,
            publishing.refresh_dashboards,
            dead_letters.handle_dead_letters,
            history.replay,
            feed_job.poll_feeds,
            retention_job.purge_bodies,
            alerts.send_daily_digest,
        ],
        schedules=[
            feed_job.feeds_schedule,
            retention_job.purge_schedule,
            alerts.daily_digest_schedule,
        ],
        sensors=[
            ingestion.supplier_news_sensor,
            ingestion.supplier_master_sensor,
            dead_letters.dead_letter_sensor,
            history.replay_sensor,
            history.history_sensor,
            transformation.marts_refresh_sensor,
            publishing.dashboards_sensor,
            alerts.alerts_sensor,
        ],
        resources={
            "postgres": Postgres(),
            "pubsub": Pubsub(),
            "llm": LlmEndpoint(),
            "superset": SupersetDoor(),
            "dbt": transformation.dbt_resource(),
        },
        executor=dg.in_process_executor,
    )
    for name in job_names.ALL:
        definitions.resolve_job_def(name)
    return definitions


defs = build_definitions()
