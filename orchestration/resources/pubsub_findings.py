"""What differs between topics and subscriptions as they are and as they must be. No calls."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from google.pubsub_v1.types import Subscription

from orchestration.resources import gcloud
from orchestration.resources.finding import Finding

DELETED_TOPIC = "_deleted-topic_"


def of_topic(part: str, topic: str, exists: bool) -> Finding:
    """Whether a topic is there."""
    if exists:
        return Finding(part, "ok", topic)
    return Finding(part, "wrong", f"{topic} does not exist", gcloud.create_topic(topic))


def of_subscription(part: str, wanted: Subscription, actual: Subscription | None) -> list[Finding]:
    """All that is wrong with a subscription, or that it is as it must be."""
    if actual is None:
        what = f"{wanted.name} does not exist"
        return [Finding(part, "wrong", what, gcloud.create_subscription(wanted))]
    found = [Finding(part, "wrong", what, fix) for what, fix in _obstacles(wanted, actual)]
    for field in differing(wanted, actual):
        label, shown = _SHOWN[field]
        what = f"{label} is {shown(actual)}, not {shown(wanted)}"
        flags = gcloud.update_flags(wanted, field)
        found.append(Finding(part, "wrong", what, gcloud.update_subscription(wanted.name, flags)))
    return found or [Finding(part, "ok", wanted.name)]


def differing(wanted: Subscription, actual: Subscription) -> list[str]:
    """The fields that an update mends. More time than wanted is no fault."""
    return [field for field in gcloud.UPDATE_FIELDS if not _is_met(wanted, actual, field)]


def _is_met(wanted: Subscription, actual: Subscription, field: str) -> bool:
    if field not in wanted:
        return True
    if field == "expiration_policy":
        return field in actual and not actual.expiration_policy.ttl
    if field in ("ack_deadline_seconds", "message_retention_duration"):
        return bool(getattr(actual, field) >= getattr(wanted, field))
    return bool(getattr(actual, field) == getattr(wanted, field))


def _obstacles(wanted: Subscription, actual: Subscription) -> Iterator[tuple[str, str]]:
    """What no update mends: each with the command that does."""
    recreate = gcloud.recreate_subscription(wanted)
    loses = "delete and create it (what waits in it is lost), or choose another subscription"
    if actual.topic == DELETED_TOPIC:
        yield f"its topic was deleted; a new one of that name does not reach it: {loses}", recreate
    elif actual.topic != wanted.topic:
        yield f"it belongs to {actual.topic}, not to {wanted.topic}: {loses}", recreate
    if wanted.enable_message_ordering and not actual.enable_message_ordering:
        yield f"message ordering is off and cannot be changed: {loses}", recreate
    if actual.filter:
        yield f"the filter {actual.filter} holds messages back for ever: {loses}", recreate
    if actual.detached:
        yield f"it is detached from its topic: {loses}", recreate
    if actual.push_config.push_endpoint:
        yield "it pushes, so nothing can be pulled", gcloud.make_pull(wanted.name)
    for field, where, flag in _EXPORTS:
        if field in actual:
            fix = gcloud.update_subscription(wanted.name, [flag]) if flag else recreate
            yield f"it delivers to {where}, so nothing can be pulled", fix


_EXPORTS = (
    ("bigquery_config", "BigQuery", "--clear-bigquery-config"),
    ("cloud_storage_config", "Cloud Storage", "--clear-cloud-storage-config"),
    ("bigtable_config", "Bigtable", ""),
)


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():,.0f} s"


def _expiration(it: Subscription) -> str:
    if "expiration_policy" not in it:
        return "the default"
    ttl = it.expiration_policy.ttl
    return f"{_seconds(ttl)} without use" if ttl else "never"


def _retries(it: Subscription) -> str:
    if "retry_policy" not in it:
        return "at once"
    policy = it.retry_policy
    return f"{_seconds(policy.minimum_backoff)} to {_seconds(policy.maximum_backoff)}"


def _dead_letters(it: Subscription) -> str:
    if "dead_letter_policy" not in it:
        return "none"
    policy = it.dead_letter_policy
    return f"{policy.dead_letter_topic} after {policy.max_delivery_attempts} deliveries"


_SHOWN: dict[str, tuple[str, Callable[[Subscription], str]]] = {
    "ack_deadline_seconds": ("the ack deadline", lambda it: f"{it.ack_deadline_seconds} s"),
    "expiration_policy": ("its expiration", _expiration),
    "message_retention_duration": (
        "the retention of messages",
        lambda it: _seconds(it.message_retention_duration),
    ),
    "retry_policy": ("the wait before a message comes again", _retries),
    "dead_letter_policy": ("the dead-letter policy", _dead_letters),
}
