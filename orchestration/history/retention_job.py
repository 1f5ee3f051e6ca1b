"""The purge in Dagster: the job, and the schedule that asks for it once a day."""

from datetime import UTC, datetime

import dagster as dg

from orchestration.history.retention import NOTHING_SET, limits, purge, sentence
from orchestration.job_names import PURGE_BODIES
from orchestration.resources.dagster import Postgres
from orchestration.settings import HistorySettings


@dg.op(
    description="Takes the bodies of prompts and answers away that are older than the settings "
    "say; hashes, outcomes, tokens and costs stay.",
)
def purge_old_bodies(context: dg.OpExecutionContext, postgres: Postgres) -> None:
    """One line in the log, and the counts as metadata."""
    wanted = limits(HistorySettings.load(), datetime.now(UTC))
    with postgres.connect(f"purge_bodies {context.run_id}") as connection:
        counts = purge(connection, wanted)
    context.log.info(sentence(counts, wanted))
    context.add_output_metadata(counts)


@dg.job(
    name=PURGE_BODIES,
    description="Purges old bodies of prompts and answers (HISTORY_KEEP_PROMPTS_DAYS, "
    "HISTORY_KEEP_ANSWERS_DAYS).",
)
def purge_bodies() -> None:
    """The job of the schedule below."""
    purge_old_bodies()


@dg.schedule(
    job=purge_bodies,
    cron_schedule="40 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Requests purge_bodies once a day, if a setting limits how long bodies are kept.",
)
def purge_schedule(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A run, or that nothing is set."""
    if not limits(HistorySettings.load(), datetime.now(UTC)).given():
        return dg.SkipReason(NOTHING_SET)
    return dg.RunRequest()
