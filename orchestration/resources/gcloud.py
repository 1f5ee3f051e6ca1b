"""The gcloud commands that mend Pub/Sub, as text for a shell. Nothing is run here."""

import shlex
from collections.abc import Sequence

from google.pubsub_v1.types import Subscription

_PUBSUB = ("gcloud", "pubsub")
# For accounts whose address is not known here: a person who is logged in.
WHOEVER_IS_LOGGED_IN = 'user:"$(gcloud config get-value account)"'


def create_topic(topic: str) -> str:
    """Create a topic, by its full name."""
    return shlex.join([*_PUBSUB, "topics", "create", topic])


def create_subscription(wanted: Subscription) -> str:
    """Create a subscription as it must be."""
    flags = [flag for field in UPDATE_FIELDS for flag in update_flags(wanted, field)]
    if wanted.enable_message_ordering:
        flags.append("--enable-message-ordering")
    command = [*_PUBSUB, "subscriptions", "create", wanted.name, f"--topic={wanted.topic}"]
    return shlex.join([*command, *flags])


def recreate_subscription(wanted: Subscription) -> str:
    """Delete a subscription, with all that waits in it, and create it as it must be."""
    delete = [*_PUBSUB, "subscriptions", "delete", wanted.name]
    return f"{shlex.join(delete)} && {create_subscription(wanted)}"


def update_subscription(subscription: str, flags: Sequence[str]) -> str:
    """Change what flags say."""
    return shlex.join([*_PUBSUB, "subscriptions", "update", subscription, *flags])


def make_pull(subscription: str) -> str:
    """Turn a push subscription into one that is pulled from."""
    command = [*_PUBSUB, "subscriptions", "modify-push-config", subscription, "--push-endpoint="]
    return shlex.join(command)


UPDATE_FIELDS = (
    "ack_deadline_seconds",
    "expiration_policy",
    "message_retention_duration",
    "retry_policy",
    "dead_letter_policy",
)


def update_flags(wanted: Subscription, field: str) -> list[str]:
    """The flags that bring one of UPDATE_FIELDS to what is wanted; none where nothing is."""
    if field not in wanted:
        return []
    if field == "ack_deadline_seconds":
        return [f"--ack-deadline={wanted.ack_deadline_seconds}"]
    if field == "expiration_policy":
        return ["--expiration-period=never"]
    if field == "message_retention_duration":
        seconds = wanted.message_retention_duration.total_seconds()
        return [f"--message-retention-duration={seconds:.0f}s"]
    if field == "retry_policy":
        policy = wanted.retry_policy
        return [
            f"--min-retry-delay={policy.minimum_backoff.total_seconds():.0f}s",
            f"--max-retry-delay={policy.maximum_backoff.total_seconds():.0f}s",
        ]
    return [
        f"--dead-letter-topic={wanted.dead_letter_policy.dead_letter_topic}",
        f"--max-delivery-attempts={wanted.dead_letter_policy.max_delivery_attempts}",
    ]


def grant(resource: str, member: str, role: str) -> str:
    """Grant a role on one topic or subscription; `member` is already text for a shell."""
    kind = "topics" if "/topics/" in resource else "subscriptions"
    command = shlex.join([*_PUBSUB, kind, "add-iam-policy-binding", resource, f"--role={role}"])
    return f"{command} --member={member}"


def member_of(email: str | None) -> str:
    """An account as a member, for `grant`."""
    if email is None:
        return WHOEVER_IS_LOGGED_IN
    return shlex.quote(f"serviceAccount:{email}")


def service_agent(project_id: str, project_number: int | None) -> str:
    """Pub/Sub's own account in a project, for `grant`; the shell asks for an unknown number."""
    number = f'"$({project_number_of(project_id)})"'
    if project_number is not None:
        number = str(project_number)
    return f"serviceAccount:service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com"


def project_number_of(project_id: str) -> str:
    """Print the number of a project."""
    command = ["gcloud", "projects", "describe", project_id, "--format=value(projectNumber)"]
    return shlex.join(command)


def show_policy(resource: str) -> str:
    """Print who was granted what on one topic or subscription."""
    kind = "topics" if "/topics/" in resource else "subscriptions"
    return shlex.join([*_PUBSUB, kind, "get-iam-policy", resource])


def grant_on_project(project_id: str, role: str) -> str:
    """Grant a role on a whole project to whoever is logged in."""
    command = ["gcloud", "projects", "add-iam-policy-binding", project_id, f"--role={role}"]
    return f"{shlex.join(command)} --member={WHOEVER_IS_LOGGED_IN}"
