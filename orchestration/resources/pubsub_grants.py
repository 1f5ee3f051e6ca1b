"""Who must be granted what on topics and subscriptions: this account, and Pub/Sub's own."""

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import google.auth
from google.api_core import exceptions as google_errors
from google.iam.v1.policy_pb2 import Policy

from orchestration.resources import gcloud
from orchestration.resources.finding import Finding
from orchestration.settings import PubsubSettings

if TYPE_CHECKING:
    from orchestration.resources.pubsub import GooglePubsub

_PUBLISHER, _SUBSCRIBER = "roles/pubsub.publisher", "roles/pubsub.subscriber"
_MORE_THAN_ENOUGH = ("roles/pubsub.editor", "roles/pubsub.admin")
_AGENT = re.compile(r"serviceAccount:service-(\d+)@gcp-sa-pubsub\.iam\.gserviceaccount\.com")
_CALL_SECONDS = 5.0


def check(broker: "GooglePubsub", settings: PubsubSettings) -> list[Finding]:
    """What this account and Pub/Sub's own may do. Topics and subscriptions must exist."""
    try:
        return [*_own(broker), *_of_pubsub(broker, settings)]
    except google_errors.MethodNotImplemented:
        return [Finding("grants", "unknown", "the emulator has no IAM; not checked")]


def of_own_account(
    resource: str, permission: str, held: Collection[str], email: str | None
) -> Finding:
    """Whether this account has a permission, among those that Pub/Sub says it has."""
    part = f"{permission} on {_short(resource)}"
    if permission in held:
        return Finding(part, "ok", "this account has it")
    role = _PUBLISHER if permission == "pubsub.topics.publish" else _SUBSCRIBER
    fix = gcloud.grant(resource, gcloud.member_of(email), role)
    return Finding(part, "wrong", f"this account lacks it; {role} grants it", fix)


def of_service_agent(
    resource: str, role: str, policy: Policy | None, settings: PubsubSettings
) -> Finding:
    """Whether Pub/Sub's own account may do its part; without it dead letters silently stay."""
    part = f"{role} on {_short(resource)}"
    agent = gcloud.service_agent(settings.project_id, settings.project_number)
    grant = gcloud.grant(resource, agent, role)
    if policy is None:
        what = "this account may not read whether Pub/Sub's own account has it: see, and grant it"
        return Finding(part, "unknown", what, f"{gcloud.show_policy(resource)}\n{grant}")
    members = sorted(_agents(policy, role))
    if settings.project_number is None and members:
        what = (
            f"granted to {', '.join(members)}: right if that is the project's number; see it, "
            "and set PUBSUB_PROJECT_NUMBER to have it checked"
        )
        return Finding(part, "unknown", what, gcloud.project_number_of(settings.project_id))
    if agent in members:
        return Finding(part, "ok", "Pub/Sub's own account has it")
    what = "Pub/Sub's own account lacks it here, so no message becomes a dead letter"
    return Finding(part, "wrong", f"{what} (a grant on the whole project is not seen)", grant)


def _agents(policy: Policy, role: str) -> Iterator[str]:
    """Service agents that hold the role or more; what is bound to a condition does not count."""
    for binding in policy.bindings:
        if binding.role in (role, *_MORE_THAN_ENOUGH) and not binding.condition.expression:
            yield from (member for member in binding.members if _AGENT.fullmatch(member))


def _own(broker: "GooglePubsub") -> Iterator[Finding]:
    publisher, subscriber = broker.clients()
    wanted = broker.wanted
    email: str | None = None
    for client, permission, names in (
        (publisher, "pubsub.topics.publish", wanted.topics),
        (subscriber, "pubsub.subscriptions.consume", [s.name for s in wanted.subscriptions]),
    ):
        for name in names:
            request = {"resource": name, "permissions": [permission]}
            answer = client.test_iam_permissions(request=request, timeout=_CALL_SECONDS)
            email = email or _own_email()
            yield of_own_account(name, permission, answer.permissions, email)


def _of_pubsub(broker: "GooglePubsub", settings: PubsubSettings) -> Iterator[Finding]:
    publisher, subscriber = broker.clients()
    for client, name, role in (
        (publisher, broker.dead_letter_topic, _PUBLISHER),
        (subscriber, broker.subscription, _SUBSCRIBER),
    ):
        yield of_service_agent(name, role, _policy(client, name), settings)


def _policy(client: Any, resource: str) -> Policy | None:
    try:
        request = {"resource": resource}
        policy: Policy = client.get_iam_policy(request=request, timeout=_CALL_SECONDS)
    except google_errors.PermissionDenied:
        return None
    return policy


def _own_email() -> str | None:
    """The address of a service account; a person's is not in the credentials."""
    credentials, _ = google.auth.default()
    email = getattr(credentials, "service_account_email", None)
    return email if isinstance(email, str) and "@" in email else None


def _short(resource: str) -> str:
    return resource.rpartition("/")[2]
