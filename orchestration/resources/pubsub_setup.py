"""Set up the topics and subscriptions of Pub/Sub, or see whether they are as they must be."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core import exceptions as google_errors
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1.types import Subscription

from orchestration.errors import BrokerError
from orchestration.resources import gcloud, pubsub_grants
from orchestration.resources.finding import Finding
from orchestration.resources.pubsub import GooglePubsub
from orchestration.resources.pubsub_errors import LOG_IN, explained
from orchestration.resources.pubsub_findings import differing, of_subscription, of_topic
from orchestration.settings import PubsubSettings

_CALL_SECONDS = 5.0


def setup(broker: GooglePubsub, settings: PubsubSettings) -> list[str]:
    """Create what is missing and change what can be changed; says each. Raises BrokerError.

    What cannot be changed stays: `check` names it.
    """
    done = []
    with _explained(settings, "setting up"):
        for name in broker.wanted.topics:
            _topic_exists(broker, name)  # an unreachable broker is found here, and at once
        done += [f"created {name}" for name in broker.create_topic_and_subscription()]
        for wanted in broker.wanted.subscriptions:
            done += mend(broker, wanted)
    return done


def mend(broker: GooglePubsub, wanted: Subscription) -> Iterator[str]:
    """Change each field that differs by itself: one that is refused does not hold up the rest.

    A subscription of another topic may be somebody else's: it is left alone.
    """
    _, subscriber = broker.clients()
    actual = _actual(broker, wanted.name)
    if actual is None or actual.topic != wanted.topic:
        return
    for field in differing(wanted, actual):
        request = {"subscription": wanted, "update_mask": FieldMask(paths=[field])}
        try:
            subscriber.update_subscription(request=request, timeout=_CALL_SECONDS, retry=None)
            yield f"changed {field} of {wanted.name}"
        except google_errors.InvalidArgument as error:
            yield f"could not change {field} of {wanted.name}: {error.message}"


def check(broker: GooglePubsub, settings: PubsubSettings) -> list[Finding]:
    """How each part is; changes nothing. Raises BrokerError when it may not be seen."""
    wanted = broker.wanted
    with _explained(settings, "checking"):
        topics = [_topic_exists(broker, name) for name in (wanted.topic, wanted.dead_letter_topic)]
        main = _actual(broker, wanted.subscription.name)
        dead = _actual(broker, wanted.dead_letter_subscription.name)
        found = [
            of_topic("topic", wanted.topic, topics[0]),
            of_topic("dead-letter topic", wanted.dead_letter_topic, topics[1]),
            *of_subscription("subscription", wanted.subscription, main),
            *of_subscription("dead-letter subscription", wanted.dead_letter_subscription, dead),
        ]
        if settings.emulator_host is not None:
            what = "the emulator cannot do it for a subscription that keeps order; not set there"
            found.append(Finding("dead-letter policy", "unknown", what))
        if main and dead and all(topics):
            return found + pubsub_grants.check(broker, settings)
    return [*found, Finding("grants", "unknown", "not checked before all parts exist")]


def _topic_exists(broker: GooglePubsub, name: str) -> bool:
    publisher, _ = broker.clients()
    try:
        publisher.get_topic(topic=name, timeout=_CALL_SECONDS, retry=None)
    except google_errors.NotFound as error:
        _require_project(error)
        return False
    return True


def _actual(broker: GooglePubsub, name: str) -> Subscription | None:
    _, subscriber = broker.clients()
    try:
        found: Subscription = subscriber.get_subscription(
            subscription=name, timeout=_CALL_SECONDS, retry=None
        )
    except google_errors.NotFound as error:
        _require_project(error)
        return None
    return found


def _require_project(error: google_errors.NotFound) -> None:
    """A missing topic is a finding; a missing project is an error."""
    if "project not found" in str(error.message).lower():
        raise error


@contextmanager
def _explained(settings: PubsubSettings, doing: str) -> Iterator[None]:
    try:
        yield
    except google_errors.RetryError as error:
        raise explained(error, f"{doing} project {settings.project_id}") from error
    except google_errors.GoogleAPICallError as error:
        raise BrokerError(explain(error, settings, doing)) from error


def explain(error: google_errors.GoogleAPICallError, settings: PubsubSettings, doing: str) -> str:
    """One sentence on what Pub/Sub answered, and one on what to do."""
    project = settings.project_id
    if isinstance(error, google_errors.Forbidden):
        role = "roles/pubsub.viewer" if doing == "checking" else "roles/pubsub.editor"
        advice = (
            f"see that PUBSUB_PROJECT_ID is your project, and that this account has {role}: "
            f"{gcloud.grant_on_project(project, role)}"
        )
    elif isinstance(error, google_errors.Unauthorized):
        advice = LOG_IN
    elif isinstance(error, google_errors.NotFound):
        advice = "correct PUBSUB_PROJECT_ID"
    elif isinstance(error, google_errors.InvalidArgument):
        advice = "correct PUBSUB_PROJECT_ID or the name that it speaks of (docs/operations.md)"
    elif isinstance(error, google_errors.ServiceUnavailable | google_errors.GatewayTimeout):
        advice = "is the network, or the emulator at PUBSUB_EMULATOR_HOST, up?"
    else:
        advice = "see the message above, and try again"
    return f"Pub/Sub failed while {doing} project {project}: {error.message}. What to do: {advice}"
