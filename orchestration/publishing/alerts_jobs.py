"""Alerts in Dagster: the sensor that notices and sends, the digest's job, and its schedule."""

from datetime import UTC, datetime

import dagster as dg

from orchestration.errors import AlertError, UsageError
from orchestration.job_names import SEND_DAILY_DIGEST
from orchestration.publishing.alerts_digest import is_recorded, key_of, record_digest
from orchestration.publishing.alerts_noticing import look
from orchestration.publishing.notifications import Delivered, deliver, unsent
from orchestration.resources.dagster import Postgres
from orchestration.resources.postgres import Connection
from orchestration.settings import AlertSettings, SupersetSettings

_SENDING_SECONDS = 12.0  # none is begun later, so that a tick is far from Dagster's limit of 60 s
NO_CHANNEL = (
    "no channel is set (ALERTS_SLACK_WEBHOOK_URL, ALERTS_EMAIL_TO or ALERTS_WEBHOOK_URL), so "
    "nobody is told"
)


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells Slack, e-mail or a webhook once of each pair that enters a higher band and "
    "of each new severe event, after the marts were refreshed; tries again what failed.",
)
def alerts_sensor(context: dg.SensorEvaluationContext, postgres: Postgres) -> dg.SkipReason:
    """What was recorded and sent is the reason. Raises AlertError when a message is given up."""
    settings = AlertSettings.load()
    with postgres.connect("alerts_sensor") as connection:
        try:
            seen = look(connection, settings, SupersetSettings.load())
        finally:  # what was recorded before is not held back
            delivered = deliver(connection, settings, _SENDING_SECONDS)
            _report(context, delivered)
        told = [f"{seen.alerts:,} alerts recorded" if seen.alerts else seen.reason]
        return dg.SkipReason(
            _sentence([one for one in told if one], connection, settings, delivered)
        )


@dg.op(description="Makes the digest of today, once, and sends it to each channel that is set.")
def send_digest(context: dg.OpExecutionContext, postgres: Postgres) -> None:
    """Started again on the same day it sends nothing new; the sensor tries again what failed."""
    settings = AlertSettings.load()
    if not settings.channels:
        raise UsageError(f"No digest: {NO_CHANNEL}.")
    today = datetime.now(settings.zone).date()
    with postgres.connect(f"{SEND_DAILY_DIGEST} {context.run_id}") as connection:
        is_new = record_digest(connection, settings, SupersetSettings.load(), today)
        delivered = deliver(connection, settings, _SENDING_SECONDS)
    context.log.info(f"{key_of(today)} " + ("is made" if is_new else "was made before"))
    context.add_output_metadata(
        {"digest": key_of(today), "is_new": is_new, "messages_sent": len(delivered.sent)}
    )
    _report(context, delivered)


@dg.job(
    name=SEND_DAILY_DIGEST,
    description="Sends how suppliers stand and what moved, once a day (ALERTS_DIGEST_HOUR, "
    "ALERTS_TIMEZONE).",
)
def send_daily_digest() -> None:
    """The job of the schedule below."""
    send_digest()


# The hour and its zone are settings, which are not read at import; zones differ by quarter hours.
@dg.schedule(
    job=send_daily_digest,
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Requests send_daily_digest once a day, from ALERTS_DIGEST_HOUR on.",
)
def daily_digest_schedule(
    context: dg.ScheduleEvaluationContext, postgres: Postgres
) -> dg.RunRequest | dg.SkipReason:
    """A run, or why there is none. Late is better than never: after a pause it is sent at once."""
    settings = AlertSettings.load()
    if not settings.channels:
        return dg.SkipReason(NO_CHANNEL)
    now = (context.scheduled_execution_time or datetime.now(UTC)).astimezone(settings.zone)
    if now.hour < settings.digest_hour:
        return dg.SkipReason(f"not before {settings.digest_hour:02d}:00 {settings.timezone}")
    with postgres.connect("daily_digest_schedule") as connection:
        if is_recorded(connection, now.date()):
            return dg.SkipReason(f"{key_of(now.date())} was made before")
    return dg.RunRequest(run_key=key_of(now.date()))


def _report(
    context: dg.SensorEvaluationContext | dg.OpExecutionContext, delivered: Delivered
) -> None:
    """What will be tried again is a warning, what is given up an error: it must be seen."""
    for failure in delivered.failed:
        context.log.warning(f"not delivered: {failure}")
    if delivered.dead:
        raise AlertError(
            f"Not delivered, {'; '.join(delivered.dead)}. What to do: `supplier-risk alerts test` "
            "says whether the channel works; then `supplier-risk alerts retry`."
        )


def _sentence(
    told: list[str], connection: Connection, settings: AlertSettings, delivered: Delivered
) -> str:
    if delivered.sent:
        channels = ", ".join(dict.fromkeys(delivered.sent))
        told.append(f"{len(delivered.sent):,} messages sent ({channels})")
    told += delivered.failed
    if not settings.channels:
        told.append(NO_CHANNEL)
    counts = unsent(connection, settings.channels)
    if counts["dead"]:
        told.append(f"{counts['dead']:,} messages were given up (supplier-risk alerts list)")
    if counts["orphaned"]:
        told.append(f"{counts['orphaned']:,} messages wait for a channel that is not set")
    return "; ".join(told)
